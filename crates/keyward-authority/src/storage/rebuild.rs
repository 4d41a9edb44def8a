//! The state, made anew from the log while it serves.

use sqlx::AssertSqlSafe;

use super::store::unbounded;
use super::{Position, Store, StoreError};

const SHADOW: &str = "CREATE TABLE state_shadow (kind {text} NOT NULL, realm {text} NOT NULL, id {text} NOT NULL, \
     position BIGINT NOT NULL, body {text} NOT NULL, PRIMARY KEY (kind, realm, id))";

/// The state that the log says, of the columns `kind, realm, id, position, body`.
pub(super) const BY_THE_LOG: &str = "SELECT e.kind, e.realm, e.id, e.position, e.body FROM event e JOIN \
     (SELECT MAX(position) AS position FROM event GROUP BY kind, realm, id) l ON l.position = e.position \
     WHERE e.body IS NOT NULL";

impl Store {
    /// Replays the log into a shadow of the state, and puts it in the state's place in one transaction. Reads go on
    /// meanwhile and see the one or the other; commands wait. Up to which position it was made.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then the state is as it was.
    pub async fn rebuild(&self) -> Result<Position, StoreError> {
        let (mut transaction, head) = self.hold_head().await?;
        unbounded(&mut transaction, self.engine).await?;
        let shadow = AssertSqlSafe(SHADOW.replace("{text}", self.engine.text()));
        sqlx::query(shadow).execute(&mut *transaction).await?;
        sqlx::query(AssertSqlSafe(format!("INSERT INTO state_shadow {BY_THE_LOG}")))
            .execute(&mut *transaction)
            .await?;
        for statement in ["DROP TABLE state", "ALTER TABLE state_shadow RENAME TO state"] {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(head)
    }
}
