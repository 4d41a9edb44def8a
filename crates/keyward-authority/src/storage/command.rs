//! A change of the state, with the events that say so, in one transaction.

use std::sync::Arc;

use sqlx::{Any, Executor, Transaction};
use tokio::sync::watch;

use super::store::{Engine, within};
use super::{Actor, Change, Entity, Event, Position, Store, StoreError};

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
}

impl Store {
    /// Begins a command of `actor`, at `at_ms` milliseconds since 1970. It waits for others that are under way.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn command(&self, actor: Actor, at_ms: i64) -> Result<Command, StoreError> {
        let (transaction, head) = self.hold_head().await?;
        let (engine, grown) = (self.engine, Arc::clone(&self.grown));
        Ok(Command { transaction, engine, actor, at_ms, head, appended: false, grown })
    }
}

impl Command {
    /// The position of the last event, those of this command among them.
    pub fn head(&self) -> Position {
        self.head
    }

    /// How an entity is, in JSON; none where there is none such.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn read(&mut self, entity: &Entity) -> Result<Option<String>, StoreError> {
        within(super::read::read(&mut *self.transaction, entity)).await
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
        within(insert(&mut *self.transaction, &event)).await?;
        match body {
            Some(body) => {
                sqlx::query(
                    "INSERT INTO state (kind, realm, id, position, body) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (kind, realm, id) DO UPDATE SET position = excluded.position, body = excluded.body",
                )
                .bind(entity.kind.0)
                .bind(entity.realm.as_str())
                .bind(entity.id.as_str())
                .bind(self.head.0)
                .bind(body.as_str())
                .execute(&mut *self.transaction)
                .await?;
            }
            None => {
                sqlx::query("DELETE FROM state WHERE kind = $1 AND realm = $2 AND id = $3")
                    .bind(entity.kind.0)
                    .bind(entity.realm.as_str())
                    .bind(entity.id.as_str())
                    .execute(&mut *self.transaction)
                    .await?;
            }
        }
        self.appended = true;
        Ok(self.head)
    }

    /// Makes all of it so, and tells the other nodes. Where this fails nobody knows whether it is so: read again.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn commit(mut self) -> Result<Position, StoreError> {
        if self.appended {
            sqlx::query("UPDATE log_head SET position = $1 WHERE one = 1")
                .bind(self.head.0)
                .execute(&mut *self.transaction)
                .await?;
            if self.engine == Engine::Postgres {
                sqlx::query("SELECT pg_notify($1, $2)")
                    .bind(CHANNEL)
                    .bind(self.head.0.to_string())
                    .fetch_optional(&mut *self.transaction)
                    .await?;
            }
        }
        let Self { transaction, grown, head, .. } = self;
        within(transaction.commit()).await?;
        super::listen::heard(&grown, head);
        Ok(head)
    }
}

pub(super) async fn insert<'e>(
    executor: impl Executor<'e, Database = Any>,
    event: &Event,
) -> Result<(), sqlx::Error> {
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
    .execute(executor)
    .await
    .map(drop)
}
