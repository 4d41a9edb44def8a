//! The state, made anew from the log while it serves.

use sqlx::{AssertSqlSafe, Row};

use super::store::Engine;
use super::{Position, Store, StoreError};

const SHADOW: &str = "CREATE TABLE state_shadow (kind {text} NOT NULL, realm {text} NOT NULL, id {text} NOT NULL, \
     position BIGINT NOT NULL, body {text} NOT NULL, PRIMARY KEY (kind, realm, id))";

const FILL: &str = "INSERT INTO state_shadow (kind, realm, id, position, body) \
     SELECT e.kind, e.realm, e.id, e.position, e.body FROM event e JOIN \
     (SELECT MAX(position) AS position FROM event GROUP BY kind, realm, id) l ON l.position = e.position \
     WHERE e.body IS NOT NULL";

impl Store {
    /// Replays the log into a shadow of the state, and puts it in the state's place in one transaction. Reads go on
    /// meanwhile and see the one or the other; commands wait. Up to which position it was made.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then the state is as it was.
    pub async fn rebuild(&self) -> Result<Position, StoreError> {
        let mut transaction = match self.engine {
            Engine::Postgres => self.writer.begin().await?,
            Engine::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
        };
        let head = sqlx::query("UPDATE log_head SET position = position WHERE one = 1 RETURNING position")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        let shadow = AssertSqlSafe(SHADOW.replace("{text}", self.engine.text()));
        sqlx::query(shadow).execute(&mut *transaction).await?;
        for statement in [FILL, "DROP TABLE state", "ALTER TABLE state_shadow RENAME TO state"] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(Position(head))
    }
}
