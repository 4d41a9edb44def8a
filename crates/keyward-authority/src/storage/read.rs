//! What is.

use sqlx::{Any, Executor, Row};

use super::store::within;
use super::{Entity, Kind, Position, Store, StoreError};

impl Store {
    /// How an entity is, in JSON. It is read from the database, past every cache: none means that there is none such, as of a
    /// moment after this was called.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn read(&self, entity: &Entity) -> Result<Option<String>, StoreError> {
        within(read(&self.readers, entity)).await
    }

    /// The names and bodies of a realm's entities whose names begin with `prefix`, in their order, behind `after`, at most
    /// `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn list(
        &self,
        kind: Kind,
        realm: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let listed = sqlx::query(
            "SELECT id, body FROM state WHERE kind = $1 AND realm = $2 AND substr(id, 1, $3) = $4 AND id > $5 \
             ORDER BY id LIMIT $6",
        )
        .bind(kind.0)
        .bind(realm)
        .bind(i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX))
        .bind(prefix)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers);
        within(listed).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// The position of the last event.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn head(&self) -> Result<Position, StoreError> {
        let head = sqlx::query("SELECT position FROM log_head WHERE one = 1").fetch_one(&self.readers);
        Ok(Position(within(head).await?.try_get(0)?))
    }
}

pub(super) async fn read<'e>(
    executor: impl Executor<'e, Database = Any>,
    entity: &Entity,
) -> Result<Option<String>, sqlx::Error> {
    let row = sqlx::query("SELECT body FROM state WHERE kind = $1 AND realm = $2 AND id = $3")
        .bind(entity.kind.0)
        .bind(entity.realm.as_str())
        .bind(entity.id.as_str())
        .fetch_optional(executor)
        .await?;
    row.map(|row| row.try_get(0)).transpose()
}
