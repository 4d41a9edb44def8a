//! What happens to keys, as events: logged in one place, with one vocabulary, and handed to whoever counts.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use keyward_verify::Now;
use keyward_verify::key_set::{NoUsableKey, PublishedKeys, Refreshed};

use crate::fetch::FetchError;

/// Something that happened to an issuer's keys.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A set was fetched and serves from now on. Logged as `jwks_refreshed`.
    Refreshed {
        /// What it changed.
        refreshed: &'a Refreshed,
        /// How many keys of the set cannot be used.
        skipped: usize,
        /// How long the fetch took.
        took: Duration,
    },
    /// The task that refreshes the keys panicked, which is a mistake of ours. It is started again; what was there
    /// still serves. Logged as `jwks_refresh_crashed`.
    RefreshCrashed {
        /// How many fetches have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// A fetch failed; what was there still serves. Logged as `jwks_refresh_failed`.
    RefreshFailed {
        /// Why.
        error: &'a FetchError,
        /// How many fetches have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// The provider's set has no usable key; what was there still serves. Logged as `jwks_refresh_failed`.
    RefreshRefused {
        /// What was skipped.
        no_usable_key: &'a NoUsableKey,
        /// How many fetches have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// Keys from the disk serve until a fetch succeeds. Logged as `cache_fallback`.
    SnapshotUsed {
        /// How many.
        key_count: usize,
        /// How old they are.
        age: Duration,
    },
    /// The keys on the disk are not used. Logged as `snapshot_refused`.
    SnapshotRefused {
        /// The file.
        path: &'a Path,
        /// Why.
        reason: &'a dyn std::error::Error,
    },
    /// The keys could not be written to the disk. Logged as `snapshot_write_failed`.
    SnapshotWriteFailed {
        /// The file.
        path: &'a Path,
        /// What the system said.
        error: &'a std::io::Error,
    },
}

impl Event<'_> {
    /// What it is logged as.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::RefreshCrashed { .. } => "jwks_refresh_crashed",
            Self::RefreshFailed { .. } | Self::RefreshRefused { .. } => "jwks_refresh_failed",
            Self::Refreshed { .. } => "jwks_refreshed",
            Self::SnapshotRefused { .. } => "snapshot_refused",
            Self::SnapshotUsed { .. } => "cache_fallback",
            Self::SnapshotWriteFailed { .. } => "snapshot_write_failed",
        }
    }
}

/// Whoever wants to know of events, such as a counter.
pub trait Observer: Send + Sync + Debug {
    /// Called at each event, on the task that refreshes the issuer's keys. It must not block.
    fn observe(&self, issuer: &str, event: &Event<'_>);
}

/// Does nothing.
#[derive(Debug)]
pub(crate) struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _issuer: &str, _event: &Event<'_>) {}
}

/// Writes to the log what there is to verify with after a fetch: `jwks_cache`, or `cache_fallback` where the
/// fetch was due and the keys are those of an earlier one.
pub(crate) fn log_cache(issuer: &str, published: &PublishedKeys, now: Now) {
    let current = published.current();
    let Some(set) = current.as_ref() else {
        return;
    };
    let (state, keys_cached) = (published.state(now.mono).label(), set.keys().len());
    let age_s = now.wall.saturating_since(set.fetch_started().wall).as_secs();
    let usable_for_s = set.usable_until().saturating_since(now.mono).as_secs();
    if now.mono < set.fresh_until() {
        tracing::info!(event = "jwks_cache", issuer, state, keys_cached, age_s, usable_for_s, "keys cached");
    } else {
        let event = "cache_fallback";
        tracing::warn!(event, issuer, state, keys_cached, age_s, usable_for_s, "older keys serve meanwhile");
    }
}

/// Writes the event to the log.
pub(crate) fn log(issuer: &str, event: &Event<'_>) {
    let label = event.label();
    match event {
        Event::Refreshed { refreshed, skipped, took } => {
            tracing::info!(
                event = label,
                issuer,
                key_count = refreshed.key_count,
                added = kids(&refreshed.added),
                removed = kids(&refreshed.removed),
                skipped,
                took_ms = millis(*took),
                "keys refreshed"
            );
        }
        Event::RefreshCrashed { failures, retry_in } => {
            tracing::error!(
                event = label,
                issuer,
                failures,
                retry_in_ms = millis(*retry_in),
                "keys not refreshed: the task panicked, and is started again"
            );
        }
        Event::RefreshFailed { error, failures, retry_in } => {
            tracing::warn!(
                event = label,
                issuer,
                cause = error.label(),
                failures,
                retry_in_ms = millis(*retry_in),
                "keys not refreshed: {error}"
            );
        }
        Event::RefreshRefused { no_usable_key, failures, retry_in } => {
            tracing::warn!(
                event = label,
                issuer,
                cause = "no_usable_key",
                failures,
                retry_in_ms = millis(*retry_in),
                "keys not refreshed: {no_usable_key}"
            );
        }
        Event::SnapshotUsed { key_count, age } => {
            tracing::warn!(
                event = label,
                issuer,
                keys_cached = key_count,
                age_s = age.as_secs(),
                "keys from the disk serve until a fetch succeeds"
            );
        }
        Event::SnapshotRefused { path, reason } => {
            tracing::warn!(
                event = label,
                issuer,
                path = %path.display(),
                "keys on the disk are not used: {reason}"
            );
        }
        Event::SnapshotWriteFailed { path, error } => {
            tracing::error!(
                event = label,
                issuer,
                path = %path.display(),
                "a restart during an outage will find no keys, or old ones: {error}"
            );
        }
    }
}

/// Key ids for a field of a line, which is flat: separated by commas, `-` for a key without one.
fn kids(kids: &[Option<String>]) -> String {
    kids.iter().map(|kid| kid.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(",")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
