//! What the database takes, and what it does not do: for whoever counts it, and for the log.

use std::fmt::Display;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keyward::MonoTime;
use keyward::clock::Clock;
use serde::de::DeserializeOwned;

use super::outage::{Outage, Told};
use super::{Store, StoreError};
use crate::observer::{Observer, StorageWrite};
use crate::refusal_log::Lines;

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
    outage: Outage,
    unreadable: Lines,
}

impl Store {
    /// Tells `observer` of the database's errors and of what it takes by this clock, and the log of its outages. The first one stays: a store is one node's.
    pub(crate) fn watch(&self, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) {
        let _ = self.watched.0.set(Watcher {
            clock,
            observer,
            outage: Outage::default(),
            unreadable: Lines::default(),
        });
    }

    /// What is kept, out of its JSON. That this version cannot read it is said in the log, where it is called `name`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        name: &dyn Display,
        body: &str,
    ) -> Result<T, serde_json::Error> {
        self.watched.parse(name, body)
    }
}

impl Watched {
    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        name: &dyn Display,
        body: &str,
    ) -> Result<T, serde_json::Error> {
        serde_json::from_str(body).inspect_err(|error| {
            if let Some(Watcher { clock, unreadable, .. }) = self.0.get()
                && let Some(left_out) = unreadable.admit(clock.mono())
            {
                tracing::warn!(event = "entity_unreadable", entity = %name, left_out, "{error}");
            }
        })
    }

    /// What the database answers, as long as it does.
    pub(super) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        let answer = self.in_time(answer).await?.map_err(|error| self.failed(error.into()))?;
        self.succeeded();
        Ok(answer)
    }

    /// What comes within that time. How it went is for whoever asked the database.
    pub(super) async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Result<T, StoreError> {
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, answer).await;
        answered.map_err(|_| self.failed(StoreError::Silent { seconds: ANSWER_TIMEOUT.as_secs() }))
    }

    pub(super) fn failed(&self, error: StoreError) -> StoreError {
        if let Some(Watcher { clock, observer, outage, .. }) = self.0.get() {
            observer.storage_failed(error.kind());
            // What a node does not write while it ends is no outage.
            if !error.is_of_our_end()
                && let Some(Told { failures, seconds }) = outage.failed(clock.mono())
            {
                let kind = error.kind();
                tracing::warn!(event = "storage_unavailable", error = kind, failures, seconds, "{error}");
            }
        }
        error
    }

    pub(super) fn succeeded(&self) {
        if let Some(Watcher { clock, outage, .. }) = self.0.get().filter(|watcher| watcher.outage.is_on())
            && let Some(Told { failures, seconds }) = outage.succeeded(clock.mono())
        {
            tracing::info!(event = "storage_available", failures, seconds, "the database answers again");
        }
    }

    /// When something begins, where anybody wants to know how long it takes.
    pub(super) fn begin(&self) -> Option<MonoTime> {
        self.0.get().map(|watcher| watcher.clock.mono())
    }

    pub(super) fn committed(&self, what: StorageWrite, begun: Option<MonoTime>) {
        if let (Some(Watcher { clock, observer, .. }), Some(begun)) = (self.0.get(), begun) {
            observer.committed(what, clock.mono().saturating_since(begun));
        }
    }

    pub(super) fn held_head(&self, begun: Option<MonoTime>) {
        if let (Some(Watcher { clock, observer, .. }), Some(begun)) = (self.0.get(), begun) {
            observer.waited_for_head(clock.mono().saturating_since(begun));
        }
    }
}
