//! A change of the state, with the events that say so, in one transaction.

use std::fmt::Display;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sqlx::{Any, AnyConnection, Transaction};
use tokio::sync::watch;

use super::store::Engine;
use super::watched::Watched;
use super::{Actor, Change, Event, Position, Store, StoreError};
use crate::observer::StorageWrite;

/// The channel on which PostgreSQL tells the other nodes that the log has grown.
pub(super) const CHANNEL: &str = "keyward_log";

/// A transaction that nobody else's overlaps: what is read in it is how things are until it ends. Dropped, it did nothing.
#[derive(Debug)]
pub struct Command {
    pub(super) transaction: Transaction<'static, Any>,
    engine: Engine,
    actor: Actor,
    at_ms: i64,
    head: Position,
    appended: bool,
    grown: Arc<watch::Sender<Position>>,
    pub(super) watched: Arc<Watched>,
}

impl Store {
    /// Begins a command of `actor`, at `at_ms` milliseconds since 1970. It waits for others that are under way.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn command(&self, actor: Actor, at_ms: i64) -> Result<Command, StoreError> {
        let (transaction, head) = self.hold_head().await?;
        let (engine, grown, watched) = (self.engine, Arc::clone(&self.grown), Arc::clone(&self.watched));
        Ok(Command { transaction, engine, actor, at_ms, head, appended: false, grown, watched })
    }
}

impl Command {
    /// The position of the last event, those of this command among them.
    pub fn head(&self) -> Position {
        self.head
    }

    /// When it was begun, in milliseconds since 1970, as whoever began it said.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Appends an event, and makes the state what it says.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then the command can only be dropped.
    pub async fn append(&mut self, change: &Change) -> Result<Position, StoreError> {
        let Change { action, entity, body } = change;
        self.head = Position(self.head.0 + 1);
        let event = Event {
            position: self.head,
            at_ms: self.at_ms,
            actor: self.actor.0.clone(),
            action: action.0.to_owned(),
            kind: entity.kind.0.to_owned(),
            realm: entity.realm.clone(),
            id: entity.id.clone(),
            body: body.clone(),
        };
        let transaction = &mut *self.transaction;
        self.watched.within(append(transaction, &event)).await?;
        self.appended = true;
        Ok(self.head)
    }

    /// As [`Store::parse`].
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        name: &dyn Display,
        body: &str,
    ) -> Result<T, serde_json::Error> {
        self.watched.parse(name, body)
    }

    /// Makes all of it so, and tells the other nodes. Where this fails nobody knows whether it is so: read again.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn commit(self) -> Result<Position, StoreError> {
        let Self { mut transaction, engine, head, appended, grown, watched, .. } = self;
        let begun = watched.begin();
        let committed = watched.within(async {
            if appended {
                move_head(&mut transaction, head).await?;
            }
            if appended && engine == Engine::Postgres {
                let notified = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(head.0.to_string());
                notified.fetch_optional(&mut *transaction).await?;
            }
            transaction.commit().await
        });
        committed.await?;
        watched.committed(StorageWrite::Command, begun);
        super::listen::heard(&grown, head);
        Ok(head)
    }
}

/// The event, and the state that it makes.
async fn append(transaction: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    insert(&mut *transaction, event).await?;
    let Event { position, kind, realm, id, body, .. } = event;
    let changed = match body {
        Some(body) => sqlx::query(
            "INSERT INTO state (kind, realm, id, position, body) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (kind, realm, id) DO UPDATE SET position = excluded.position, body = excluded.body",
        )
        .bind(kind.as_str())
        .bind(realm.as_str())
        .bind(id.as_str())
        .bind(position.0)
        .bind(body.as_str()),
        None => sqlx::query("DELETE FROM state WHERE kind = $1 AND realm = $2 AND id = $3")
            .bind(kind.as_str())
            .bind(realm.as_str())
            .bind(id.as_str()),
    };
    changed.execute(transaction).await.map(drop)
}

pub(super) async fn move_head(transaction: &mut AnyConnection, head: Position) -> Result<(), sqlx::Error> {
    let moved = sqlx::query("UPDATE log_head SET position = $1 WHERE one = 1").bind(head.0);
    moved.execute(transaction).await.map(drop)
}

pub(super) async fn insert(transaction: &mut AnyConnection, event: &Event) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO event (position, at_ms, actor, action, kind, realm, id, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(event.position.0)
    .bind(event.at_ms)
    .bind(event.actor.as_str())
    .bind(event.action.as_str())
    .bind(event.kind.as_str())
    .bind(event.realm.as_str())
    .bind(event.id.as_str())
    .bind(event.body.as_deref())
    .execute(transaction)
    .await
    .map(drop)
}
