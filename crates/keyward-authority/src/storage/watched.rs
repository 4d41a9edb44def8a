//! What the database takes, and what it does not do, for whoever counts it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keyward::MonoTime;
use keyward::clock::Clock;

use super::{Store, StoreError};
use crate::observer::{Observer, StorageWrite};

/// How long the database may take to answer, though the connection to it hangs and nobody says so. Longer than what the server
/// itself ends, so that its error comes first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(6);

/// Who counts it, once there is somebody.
#[derive(Debug, Default)]
pub(super) struct Watched(OnceLock<Watcher>);

#[derive(Debug)]
struct Watcher {
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
}

impl Store {
    /// Tells `observer` of the database's errors and of what it takes by this clock. The first one stays: a store is one node's.
    pub(crate) fn watch(&self, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) {
        let _ = self.watched.0.set(Watcher { clock, observer });
    }
}

impl Watched {
    /// What the database answers, as long as it does.
    pub(super) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.failed(error.into())),
            Err(_) => Err(self.failed(StoreError::Silent { seconds: ANSWER_TIMEOUT.as_secs() })),
        }
    }

    pub(super) fn failed(&self, error: StoreError) -> StoreError {
        if let Some(Watcher { observer, .. }) = self.0.get() {
            observer.storage_failed(error.kind());
        }
        error
    }

    /// When something begins, where anybody wants to know how long it takes.
    pub(super) fn begin(&self) -> Option<MonoTime> {
        self.0.get().map(|watcher| watcher.clock.mono())
    }

    pub(super) fn committed(&self, what: StorageWrite, begun: Option<MonoTime>) {
        if let (Some(Watcher { clock, observer }), Some(begun)) = (self.0.get(), begun) {
            observer.committed(what, clock.mono().saturating_since(begun));
        }
    }

    pub(super) fn held_head(&self, begun: Option<MonoTime>) {
        if let (Some(Watcher { clock, observer }), Some(begun)) = (self.0.get(), begun) {
            observer.waited_for_head(clock.mono().saturating_since(begun));
        }
    }
}
