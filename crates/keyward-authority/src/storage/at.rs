//! What is, and since which event.

use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row};

use super::follow::event;
use super::{Command, Entity, Event, Kind, Position, Store, StoreError};

/// An entity as it is, and since which event it is so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Versioned {
    /// Its name.
    pub id: String,
    /// Its last event.
    pub position: Position,
    /// How it is, in JSON.
    pub body: String,
}

impl Store {
    /// An entity and its position, from the database; none where there is none such.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn find_at(&self, entity: &Entity) -> Result<Option<Versioned>, StoreError> {
        let found = self.watched.within(find(&self.readers, entity)).await?;
        Ok(found.as_ref().map(versioned).transpose()?)
    }

    /// A realm's entities whose names begin with `prefix`, in their order, behind `after`, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn page(
        &self,
        kind: Kind,
        realm: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Versioned>, StoreError> {
        let page = page(&self.readers, kind, realm, prefix, after, limit);
        Ok(self.watched.within(page).await?.iter().map(versioned).collect::<Result<_, _>>()?)
    }

    /// The entities of a kind that are their realm's only one, of all realms behind `after`, in the order of the realms.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn of_every_realm(
        &self,
        kind: Kind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Versioned>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, position, body FROM state WHERE kind = $1 AND realm > $2 AND id = realm ORDER BY realm LIMIT $3",
        )
        .bind(kind.0)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers);
        Ok(self.watched.within(rows).await?.iter().map(versioned).collect::<Result<_, _>>()?)
    }

    /// A realm's events behind `after`, in their order, at most `limit` of them.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events_of(
        &self,
        realm: &str,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, at_ms, actor, action, kind, realm, id, body FROM event \
             WHERE realm = $1 AND position > $2 ORDER BY position LIMIT $3",
        )
        .bind(realm)
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.readers);
        self.watched.within(rows).await?.iter().map(event).collect()
    }
}

impl Command {
    /// How an entity is, in JSON; none where there is none such. It stays so until the command ends.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn read(&mut self, entity: &Entity) -> Result<Option<String>, StoreError> {
        Ok(self.read_at(entity).await?.map(|found| found.body))
    }

    /// An entity and its position; none where there is none such. It stays so until the command ends.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn read_at(&mut self, entity: &Entity) -> Result<Option<Versioned>, StoreError> {
        let found = self.watched.within(find(&mut *self.transaction, entity)).await?;
        Ok(found.as_ref().map(versioned).transpose()?)
    }

    /// As [`Store::page`], and it stays so until the command ends.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn page(
        &mut self,
        kind: Kind,
        realm: &str,
        prefix: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Versioned>, StoreError> {
        let page = page(&mut *self.transaction, kind, realm, prefix, after, limit);
        Ok(self.watched.within(page).await?.iter().map(versioned).collect::<Result<_, _>>()?)
    }

    /// How many of a realm's entities there are whose names begin with `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn count(&mut self, kind: Kind, realm: &str, prefix: &str) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM state WHERE kind = $1 AND realm = $2 AND substr(id, 1, $3) = $4",
        )
        .bind(kind.0)
        .bind(realm)
        .bind(length(prefix))
        .bind(prefix)
        .fetch_one(&mut *self.transaction);
        Ok(self.watched.within(row).await?.try_get(0)?)
    }

    /// How many entities of a kind there are in all realms.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn count_all(&mut self, kind: Kind) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) FROM state WHERE kind = $1")
            .bind(kind.0)
            .fetch_one(&mut *self.transaction);
        Ok(self.watched.within(row).await?.try_get(0)?)
    }
}

async fn find<'e>(
    executor: impl Executor<'e, Database = Any>,
    entity: &Entity,
) -> Result<Option<AnyRow>, sqlx::Error> {
    sqlx::query("SELECT id, position, body FROM state WHERE kind = $1 AND realm = $2 AND id = $3")
        .bind(entity.kind.0)
        .bind(entity.realm.as_str())
        .bind(entity.id.as_str())
        .fetch_optional(executor)
        .await
}

async fn page<'e>(
    executor: impl Executor<'e, Database = Any>,
    kind: Kind,
    realm: &str,
    prefix: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<AnyRow>, sqlx::Error> {
    sqlx::query(
        "SELECT id, position, body FROM state WHERE kind = $1 AND realm = $2 AND substr(id, 1, $3) = $4 AND id > $5 \
         ORDER BY id LIMIT $6",
    )
    .bind(kind.0)
    .bind(realm)
    .bind(length(prefix))
    .bind(prefix)
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(executor)
    .await
}

/// In characters, as `substr` counts.
pub(super) fn length(prefix: &str) -> i32 {
    i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX)
}

fn versioned(row: &AnyRow) -> Result<Versioned, sqlx::Error> {
    Ok(Versioned { id: row.try_get(0)?, position: Position(row.try_get(1)?), body: row.try_get(2)? })
}
