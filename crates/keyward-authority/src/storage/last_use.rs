//! When keys and secrets were last used.

use std::collections::BTreeMap;

use sqlx::Row;

use super::at::length;
use super::store::Engine;
use super::{Entity, Kind, Store, StoreError};

/// How many are written at once.
const BATCH: usize = 500;

impl Store {
    /// Notes that each of these was used, at that many seconds since 1970. It is no change of the state and in no event. A later
    /// use that another node noted stays.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then some may be noted, and noting them again does no harm.
    pub async fn note_uses(&self, uses: &[(Entity, i64)]) -> Result<(), StoreError> {
        let note = match self.engine {
            Engine::Postgres => {
                "INSERT INTO last_use (kind, realm, id, at) \
                 SELECT used ->> 0, used ->> 1, used ->> 2, (used ->> 3)::bigint FROM json_array_elements($1::json) AS used \
                 ON CONFLICT (kind, realm, id) DO UPDATE SET at = excluded.at WHERE excluded.at > last_use.at"
            }
            Engine::Sqlite => {
                "INSERT INTO last_use (kind, realm, id, at) \
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE true \
                 ON CONFLICT (kind, realm, id) DO UPDATE SET at = excluded.at WHERE excluded.at > last_use.at"
            }
        };
        // Each once, and in the same order on every node, so that none waits for the other in the middle of it.
        let mut last = BTreeMap::new();
        for (entity, at) in uses {
            let latest = last.entry((entity.kind.0, &entity.realm, &entity.id)).or_insert(*at);
            *latest = (*latest).max(*at);
        }
        let last: Vec<_> = last.into_iter().map(|((kind, realm, id), at)| (kind, realm, id, at)).collect();
        for batch in last.chunks(BATCH) {
            // It is made of strings and numbers.
            let batch = serde_json::to_string(batch).unwrap_or_default();
            let noted = sqlx::query(note).bind(batch).execute(self.beside_commands());
            self.watched.within(noted).await?;
        }
        Ok(())
    }

    /// When those of a realm's entities were last used whose names begin with `prefix`, in seconds since 1970, by name. What was
    /// used since the nodes last wrote it down is missing.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn last_uses(
        &self,
        kind: Kind,
        realm: &str,
        prefix: &str,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at FROM last_use WHERE kind = $1 AND realm = $2 AND substr(id, 1, $3) = $4 ORDER BY id",
        )
        .bind(kind.0)
        .bind(realm)
        .bind(length(prefix))
        .bind(prefix)
        .fetch_all(&self.readers);
        self.watched.within(rows).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}
