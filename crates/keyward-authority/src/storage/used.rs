//! What may be used once.

use super::{Store, StoreError};

impl Store {
    /// Marks `what` as used until `until_ms`, in milliseconds since 1970. False where somebody did so before, on any node.
    /// It is no change of the state and in no event: it is forgotten when its time is over.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then it is not known to be new, and must not be taken.
    pub async fn use_once(&self, what: &str, until_ms: i64) -> Result<bool, StoreError> {
        let inserted =
            sqlx::query("INSERT INTO used (what, until_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(what)
                .bind(until_ms)
                .execute(&self.writer)
                .await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// Forgets what is over at `now_ms`, and says how much that was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget_used(&self, now_ms: i64) -> Result<u64, StoreError> {
        let deleted =
            sqlx::query("DELETE FROM used WHERE until_ms <= $1").bind(now_ms).execute(&self.writer).await?;
        Ok(deleted.rows_affected())
    }
}
