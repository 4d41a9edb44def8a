//! What happens to keys and to our credentials, as events: logged in one place, with one vocabulary, and handed to
//! whoever counts.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use keyward_verify::Now;
use keyward_verify::key_set::{NoUsableKey, PublishedKeys, Refreshed};

use crate::credentials::{CredentialFileError, PermissionsTooWide, ProviderError, TokenError};
use crate::fetch::FetchError;

/// Something that happened to an issuer's keys, or to our credential there.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The provider takes our credential again. Logged as `credential_accepted`.
    CredentialAccepted,
    /// The provider does not take the bearer token that we have, and another one is obtained. Logged as
    /// `credential_dropped`.
    CredentialDropped {
        /// What it said.
        said: &'a ProviderError,
    },
    /// Others than its owner can read a file of our credential. Logged as `credential_exposed`.
    CredentialExposed {
        /// Which file, and its mode.
        warning: &'a PermissionsTooWide,
    },
    /// No bearer token was obtained, because the provider failed or could not be reached; the one that is there
    /// serves until it is over. Logged as `credential_failed`.
    CredentialFailed {
        /// Why.
        error: &'a TokenError,
        /// How many attempts have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// A bearer token was obtained. Logged as `credential_obtained`.
    CredentialObtained {
        /// For how long it is used.
        usable_for: Duration,
        /// How long the token request took.
        took: Duration,
    },
    /// No bearer token was obtained, because the provider refuses us: somebody has to mend that. Logged as
    /// `credential_refused`.
    CredentialRefused {
        /// Why.
        error: &'a TokenError,
        /// How many attempts have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// The provider refuses what we show it, and it is not shown again before some time has passed. Logged as
    /// `credential_rejected`.
    CredentialRejected {
        /// What it said.
        said: &'a ProviderError,
        /// How often in a row.
        rejections: u32,
        /// Until the next attempt.
        retry_in: Duration,
    },
    /// A file of the credential changed, and what is in it counts from now on. Logged as `credential_reloaded`.
    CredentialReloaded,
    /// A file of the credential changed and is of no use; the old credential still counts. Logged as
    /// `credential_reload_refused`.
    CredentialReloadRefused {
        /// Which file, and why.
        error: &'a CredentialFileError,
    },
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
            Self::CredentialAccepted => "credential_accepted",
            Self::CredentialDropped { .. } => "credential_dropped",
            Self::CredentialExposed { .. } => "credential_exposed",
            Self::CredentialFailed { .. } => "credential_failed",
            Self::CredentialObtained { .. } => "credential_obtained",
            Self::CredentialRefused { .. } => "credential_refused",
            Self::CredentialRejected { .. } => "credential_rejected",
            Self::CredentialReloadRefused { .. } => "credential_reload_refused",
            Self::CredentialReloaded => "credential_reloaded",
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
    /// Called at each event, on the task that it happened to. It must not block.
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
        Event::CredentialAccepted => {
            tracing::info!(event = label, issuer, "the provider takes our credential again");
        }
        Event::CredentialDropped { said } => {
            tracing::warn!(
                event = label,
                issuer,
                cause = said.code.label(),
                "our token is obtained again: {said}"
            );
        }
        Event::CredentialExposed { warning } => {
            tracing::warn!(event = label, issuer, path = %warning.path.display(), "{warning}");
        }
        Event::CredentialFailed { error, failures, retry_in } => {
            tracing::warn!(
                event = label,
                issuer,
                cause = error.label(),
                failures,
                retry_in_ms = millis(*retry_in),
                "our token was not obtained: {error}"
            );
        }
        Event::CredentialObtained { usable_for, took } => {
            tracing::info!(
                event = label,
                issuer,
                usable_for_s = usable_for.as_secs(),
                took_ms = millis(*took),
                "our token was obtained"
            );
        }
        Event::CredentialRefused { error, failures, retry_in } => {
            tracing::error!(
                event = label,
                issuer,
                cause = error.label(),
                failures,
                retry_in_ms = millis(*retry_in),
                "the provider gives us no token: {error}"
            );
        }
        Event::CredentialRejected { said, rejections, retry_in } => {
            tracing::error!(
                event = label,
                issuer,
                cause = said.code.label(),
                rejections,
                retry_in_ms = millis(*retry_in),
                "the provider refuses our credential: {said}"
            );
        }
        Event::CredentialReloadRefused { error } => {
            tracing::error!(
                event = label,
                issuer,
                path = %error.path.display(),
                "the old credential still counts: {error}"
            );
        }
        Event::CredentialReloaded => {
            tracing::info!(event = label, issuer, "the new credential counts from now on");
        }
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
