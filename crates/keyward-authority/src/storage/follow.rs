//! The log, read by whoever keeps up with it.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Event, Position, Store, StoreError};

impl Store {
    /// The events behind `after`, in their order, at most `limit` of them. None is ever skipped: a position is only seen once
    /// all before it are.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn events(&self, after: Position, limit: u32) -> Result<Vec<Event>, StoreError> {
        let events = sqlx::query(
            "SELECT position, at_ms, actor, action, kind, realm, id, body FROM event WHERE position > $1 \
             ORDER BY position LIMIT $2",
        )
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.readers);
        self.watched.within(events).await?.iter().map(event).collect()
    }
}

pub(super) fn event(row: &AnyRow) -> Result<Event, StoreError> {
    Ok(Event {
        position: Position(row.try_get(0)?),
        at_ms: row.try_get(1)?,
        actor: row.try_get(2)?,
        action: row.try_get(3)?,
        kind: row.try_get(4)?,
        realm: row.try_get(5)?,
        id: row.try_get(6)?,
        body: row.try_get(7)?,
    })
}
