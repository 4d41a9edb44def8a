//! When keys and secrets were last used.

use sqlx::Row;

use super::{Entity, Kind, Store, StoreError};

impl Store {
    /// Notes that each of these was used, at that many seconds since 1970. It is no change of the state and in no event. A later
    /// use that another node noted stays.
    ///
    /// # Errors
    /// [`StoreError::Database`]: then some may be noted, and noting them again does no harm.
    pub async fn note_uses(&self, uses: &[(Entity, i64)]) -> Result<(), StoreError> {
        let mut transaction = self.beside_commands().begin().await?;
        for (entity, at) in uses {
            sqlx::query(
                "INSERT INTO last_use (kind, realm, id, at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (kind, realm, id) DO UPDATE SET at = excluded.at WHERE excluded.at > last_use.at",
            )
            .bind(entity.kind.0)
            .bind(entity.realm.as_str())
            .bind(entity.id.as_str())
            .bind(*at)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
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
        .bind(i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX))
        .bind(prefix)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}
