//! What is, for whoever wants to read it.

use serde::Serialize;
use serde_json::Value;
use sqlx::Row;

use super::{Position, Store, StoreError};
use crate::entity;

/// Entities that are read at once.
const BATCH: usize = 500;

/// An entity, as an export shows it.
#[derive(Serialize)]
struct Exported {
    kind: String,
    realm: String,
    id: String,
    position: i64,
    /// How it is, without secrets; none where it is nothing but one, or of a later version.
    entity: Option<Value>,
}

impl Store {
    /// Hands out every entity as one line of JSON (`kind`, `realm`, `id`, `position`, `entity`), in their order, all as they are at
    /// one moment: without sealed keys, hashes of secrets and hashes of tokens. Nothing can be restored of it; that is what
    /// [`Self::backup`] is for. It ends where `line` says so. As of which position.
    ///
    /// # Errors
    /// [`StoreError::Database`], and what `line` fails with.
    pub async fn export<E: From<StoreError>>(
        &self,
        mut line: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<Position, E> {
        let mut transaction = self.snapshot().await?;
        let head = sqlx::query("SELECT position FROM log_head WHERE one = 1");
        let head = head.fetch_one(&mut *transaction).await.map_err(StoreError::from)?;
        let head = head.try_get(0).map_err(StoreError::from)?;
        let mut after = (String::new(), String::new(), String::new());
        loop {
            let rows = sqlx::query(
                "SELECT kind, realm, id, position, body FROM state WHERE (kind, realm, id) > ($1, $2, $3) \
                 ORDER BY kind, realm, id LIMIT $4",
            )
            .bind(after.0.as_str())
            .bind(after.1.as_str())
            .bind(after.2.as_str())
            .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await
            .map_err(StoreError::from)?;
            for row in &rows {
                let exported = exported(row).map_err(StoreError::from)?;
                // It is made of strings and numbers.
                line(&serde_json::to_string(&exported).unwrap_or_default())?;
                after = (exported.kind, exported.realm, exported.id);
            }
            if rows.len() < BATCH {
                return Ok(Position(head));
            }
        }
    }
}

fn exported(row: &sqlx::any::AnyRow) -> Result<Exported, sqlx::Error> {
    let (kind, body): (String, String) = (row.try_get(0)?, row.try_get(4)?);
    let entity = entity::shown(&kind, &body);
    Ok(Exported { entity, kind, realm: row.try_get(1)?, id: row.try_get(2)?, position: row.try_get(3)? })
}
