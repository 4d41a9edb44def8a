//! Entities by the end of their names.

use sqlx::Row;

use super::at::length;
use super::{Kind, Store, StoreError};

/// The most names that are told.
const LIMIT: i64 = 8;

impl Store {
    /// The names of a realm's entities that end in a slash and `last`, at most eight, in their order. It looks through all of the
    /// kind: it is for telling why something was refused, and for nothing that succeeds.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn ending_in(&self, kind: Kind, realm: &str, last: &str) -> Result<Vec<String>, StoreError> {
        let end = format!("/{last}");
        let rows = sqlx::query(
            "SELECT id FROM state WHERE kind = $1 AND realm = $2 AND length(id) > $3 \
             AND substr(id, length(id) - $3 + 1) = $4 ORDER BY id LIMIT $5",
        )
        .bind(kind.0)
        .bind(realm)
        .bind(length(&end))
        .bind(end.as_str())
        .bind(LIMIT)
        .fetch_all(&self.readers);
        self.watched.within(rows).await?.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
