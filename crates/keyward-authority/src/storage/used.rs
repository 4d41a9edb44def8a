//! What may be used once.

use super::{Store, StoreError};

/// How much is forgotten at once.
const BATCH: i64 = 1000;

impl Store {
    /// Marks `what`, of at most 1024 octets and without a zero, as used until `until_ms`, in milliseconds since 1970. False where
    /// somebody did so before, on any node. It is no change of the state and in no event: it is forgotten when its time is over.
    /// Those who ask at the same time are written together.
    ///
    /// # Errors
    /// [`StoreError`]: then it is not known to be new, and must not be taken.
    pub async fn use_once(&self, what: &str, until_ms: i64) -> Result<bool, StoreError> {
        self.uses.use_once(what, until_ms).await
    }

    /// Forgets what is over at `now_ms`, and says how much that was.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn forget_used(&self, now_ms: i64) -> Result<u64, StoreError> {
        self.forget(
            "DELETE FROM used WHERE what IN \
             (SELECT what FROM used WHERE until_ms <= $1 ORDER BY until_ms LIMIT $2)",
            now_ms,
        )
        .await
    }

    /// What `delete` deletes at `now`, a batch at a time: whoever else writes waits for no more than one.
    pub(super) async fn forget(&self, delete: &'static str, now: i64) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let deleted = sqlx::query(delete).bind(now).bind(BATCH).execute(self.beside_commands());
            let deleted = self.watched.within(deleted).await?.rows_affected();
            forgotten += deleted;
            if deleted < BATCH.unsigned_abs() {
                return Ok(forgotten);
            }
        }
    }
}
