//! A change of the state, with the events that say so, in one transaction.

use sqlx::{Any, Row, Transaction};

use super::store::Engine;
use super::{Actor, Change, Entity, Position, Store, StoreError};

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
}

impl Store {
    /// Begins a command of `actor`, at `at_ms` milliseconds since 1970. It waits for others that are under way.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn command(&self, actor: Actor, at_ms: i64) -> Result<Command, StoreError> {
        let mut transaction = match self.engine {
            Engine::Postgres => self.writer.begin().await?,
            // Without it SQLite would take its lock at the first write, and fail where somebody else did before.
            Engine::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
        };
        let head = sqlx::query("UPDATE log_head SET position = position WHERE one = 1 RETURNING position")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        let (engine, head) = (self.engine, Position(head));
        Ok(Command { transaction, engine, actor, at_ms, head, appended: false })
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
        super::read::read(&mut *self.transaction, entity).await
    }

    /// Appends an event, and makes the state what it says.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then the command can only be dropped.
    pub async fn append(&mut self, change: &Change) -> Result<Position, StoreError> {
        let Change { action, entity, body } = change;
        self.head = Position(self.head.0 + 1);
        sqlx::query(
            "INSERT INTO event (position, at_ms, actor, action, kind, realm, id, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(self.head.0)
        .bind(self.at_ms)
        .bind(self.actor.0.as_str())
        .bind(action.0)
        .bind(entity.kind.0)
        .bind(entity.realm.as_str())
        .bind(entity.id.as_str())
        .bind(body.as_deref())
        .execute(&mut *self.transaction)
        .await?;
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
        self.transaction.commit().await?;
        Ok(self.head)
    }
}
