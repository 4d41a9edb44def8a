//! What is.

use sqlx::Row;

use super::{Entity, Kind, Position, Store, StoreError};

impl Store {
    /// How an entity is, in JSON. It is read from the database, past every cache: none means that there is none such, as of a
    /// moment after this was called.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn read(&self, entity: &Entity) -> Result<Option<String>, StoreError> {
        Ok(self.find_at(entity).await?.map(|found| found.body))
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
        let page = self.page(kind, realm, prefix, after, limit).await?;
        Ok(page.into_iter().map(|found| (found.id, found.body)).collect())
    }

    /// The position of the last event.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn head(&self) -> Result<Position, StoreError> {
        let head = sqlx::query("SELECT position FROM log_head WHERE one = 1").fetch_one(&self.readers);
        Ok(Position(self.watched.within(head).await?.try_get(0)?))
    }
}
