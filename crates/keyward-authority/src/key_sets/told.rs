//! What is told of a set's fetches: each to the metrics, and to the log what somebody should know.

use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use keyward::MonoTime;
use keyward::event::{Event, Observer};
use url::Url;

use super::Inner;

/// A line about a set that fails, at most.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// Whom a set tells of its fetches.
#[derive(Debug)]
pub(super) struct Told {
    sets: Weak<Inner>,
    realm: String,
    host: String,
    trouble: Mutex<Trouble>,
}

/// A set that cannot be fetched.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// When the last line said so.
    said: Option<MonoTime>,
    /// Whether no line has said since that it can be fetched again.
    is_open: bool,
}

impl Told {
    pub(super) fn new(sets: &std::sync::Arc<Inner>, realm: &str, url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self {
            sets: std::sync::Arc::downgrade(sets),
            realm: realm.to_owned(),
            host,
            trouble: Mutex::default(),
        }
    }

    fn failed(&self, now: MonoTime, cause: &str, failures: u32, why: &dyn std::fmt::Display) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.said.is_some_and(|said| now.saturating_since(said) < LINE_EVERY) {
            return;
        }
        *trouble = Trouble { said: Some(now), is_open: true };
        drop(trouble);
        let (realm, host) = (&*self.realm, &*self.host);
        tracing::warn!(event = "key_set_unavailable", realm, host, cause, failures, "{why}");
    }

    fn succeeded(&self) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut trouble.is_open) {
            drop(trouble);
            let (realm, host) = (&*self.realm, &*self.host);
            tracing::info!(event = "key_set_available", realm, host, "the set of keys can be fetched again");
        }
    }
}

impl Observer for Told {
    fn observe(&self, _: &str, event: &Event<'_>) {
        let Some(sets) = self.sets.upgrade() else { return };
        let now = sets.clock.mono();
        let outcome = match event {
            Event::Refreshed { .. } => {
                self.succeeded();
                FETCHED
            }
            Event::RefreshFailed { error, failures, .. } => {
                self.failed(now, error.label(), *failures, error);
                error.label()
            }
            Event::RefreshRefused { no_usable_key, failures, .. } => {
                self.failed(now, NO_USABLE_KEY, *failures, no_usable_key);
                NO_USABLE_KEY
            }
            Event::RefreshCrashed { failures, .. } => {
                self.failed(now, CRASHED, *failures, &"the task that fetches it panicked");
                CRASHED
            }
            _ => return,
        };
        sets.observer.key_set_fetched(&self.realm, outcome);
        sets.forget_idle();
    }
}

/// Outcomes beside those of a failed fetch ([`FetchError::LABELS`](keyward::fetch::FetchError::LABELS)).
const CRASHED: &str = "crashed";
const FETCHED: &str = "fetched";
const NO_USABLE_KEY: &str = "no_usable_key";
