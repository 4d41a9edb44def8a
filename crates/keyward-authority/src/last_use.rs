//! When keys and secrets were last used: kept in memory, and written down now and then, so that no request waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward::UnixTime;
use tokio::task::JoinHandle;

use crate::authority::Authority;
use crate::storage::{Entity, Store, StoreError};

/// The most uses that wait to be written. What is used beyond that is noted at its next use.
const WAITING: usize = 10_000;

/// Uses that nobody has written down yet.
#[derive(Debug, Default)]
pub struct LastUses {
    waiting: Mutex<HashMap<Entity, i64>>,
}

impl LastUses {
    /// Notes a use.
    pub fn note(&self, entity: Entity, at: UnixTime) {
        let mut waiting = self.lock();
        if waiting.len() < WAITING || waiting.contains_key(&entity) {
            waiting.insert(entity, at.0);
        }
    }

    /// Writes down what waits.
    ///
    /// # Errors
    /// [`StoreError`]: then it waits for the next time.
    pub async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let uses: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        if uses.is_empty() {
            return Ok(());
        }
        let written = store.note_uses(&uses).await;
        if written.is_err() {
            let mut waiting = self.lock();
            for (entity, at) in uses {
                waiting.entry(entity).or_insert(at);
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Entity, i64>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down what waits, each `period`, until the task is aborted.
pub fn flush_every(authority: Authority, period: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(period).await;
            if let Err(error) = authority.client_auth().last_uses().flush(authority.view().store()).await {
                tracing::warn!(
                    event = "last_uses_unwritten",
                    "when keys were last used is not written down: {error}"
                );
            }
        }
    })
}
