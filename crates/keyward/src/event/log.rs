//! Events as lines of the log.

use std::time::Duration;

use keyward_verify::Now;
use keyward_verify::introspection::BreakerState;
use keyward_verify::key_set::{PublishedKeys, WrapperCertificate, WrapperPolicy};

use super::Event;
use crate::clock::rfc3339;
use crate::shared_replay::WhenDown;

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
        Event::IntrospectionBreaker { from, to, retry_in } => {
            let (from, retry_in_ms) = (from.label(), retry_in.map(millis));
            match to {
                BreakerState::Open => tracing::warn!(
                    event = label,
                    issuer,
                    from,
                    retry_in_ms,
                    "introspection is not called for a while: too many calls failed"
                ),
                BreakerState::HalfOpen => {
                    tracing::info!(event = label, issuer, from, "one introspection call tries");
                }
                BreakerState::Closed => {
                    tracing::info!(event = label, issuer, from, "introspection is called again");
                }
            }
        }
        Event::IntrospectionCalled { outcome, took } => {
            tracing::trace!(event = label, issuer, outcome, took_ms = millis(*took), "introspection called");
        }
        Event::IntrospectionFailed { failure, why, failures, since } => {
            tracing::warn!(
                event = label,
                issuer,
                cause = failure.label(),
                failures,
                since_s = since.as_secs(),
                "introspection cannot tell: {why}"
            );
        }
        Event::IntrospectionRecovered { failures, after } => {
            tracing::info!(
                event = label,
                issuer,
                failures,
                after_s = after.as_secs(),
                "introspection answers again"
            );
        }
        Event::ProofMemoryAsked { outcome, took } => {
            tracing::trace!(event = label, outcome, took_ms = millis(*took), "the shared memory was asked");
        }
        Event::ProofMemoryBypassed => {
            tracing::trace!(event = label, "a proof passed without the shared memory");
        }
        Event::ProofMemoryFailed { cause, why, failures, since, when_down } => {
            let meanwhile = match when_down {
                WhenDown::Local => "a proof that was used elsewhere passes here",
                WhenDown::Refuse => "requests with proofs are 503",
            };
            tracing::error!(
                event = label,
                cause,
                failures,
                since_s = since.as_secs(),
                when_down = when_down.label(),
                "the shared memory of used proofs cannot tell; {meanwhile}: {why}"
            );
        }
        Event::ProofMemoryRecovered { failures, after } => {
            let after_s = after.as_secs();
            tracing::info!(
                event = label,
                failures,
                after_s,
                "the shared memory of used proofs answers again"
            );
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
        Event::WrapperExpired { .. }
        | Event::WrapperExpiring { .. }
        | Event::WrapperNotYetValid { .. }
        | Event::WrapperTroubled { .. } => log_wrapper(issuer, event),
    }
}

/// What is told of the certificate around a key: which one, and what it means. Its key is fine.
fn log_wrapper(issuer: &str, event: &Event<'_>) {
    let label = event.label();
    match event {
        Event::WrapperExpired { kid, certificate, since, policy } => {
            let Told { subject, serial, not_after } = Told::of(certificate);
            let (since_s, policy, is_refused) =
                (since.as_secs(), policy.label(), *policy == WrapperPolicy::Enforce);
            if is_refused {
                tracing::error!(
                    event = label,
                    issuer,
                    kid,
                    subject,
                    serial,
                    not_after,
                    since_s,
                    policy,
                    "the certificate around a key is over: its tokens are refused until the key has a new one"
                );
            } else {
                tracing::warn!(
                    event = label,
                    issuer,
                    kid,
                    subject,
                    serial,
                    not_after,
                    since_s,
                    policy,
                    "the certificate around a key is over: its tokens are accepted, and counted"
                );
            }
        }
        Event::WrapperExpiring { kid, certificate, left, policy } => {
            let Told { subject, serial, not_after } = Told::of(certificate);
            let (left_s, policy) = (left.as_secs(), policy.label());
            tracing::warn!(
                event = label,
                issuer,
                kid,
                subject,
                serial,
                not_after,
                left_s,
                policy,
                "the certificate around a key will be over"
            );
        }
        Event::WrapperNotYetValid { kid, certificate, left, policy } => {
            let Told { subject, serial, .. } = Told::of(certificate);
            let (left_s, policy, cause) = (left.as_secs(), policy.label(), "not_yet_valid");
            tracing::warn!(
                event = label,
                issuer,
                kid,
                subject,
                serial,
                cause,
                left_s,
                policy,
                "the certificate around a key begins in the future"
            );
        }
        Event::WrapperTroubled { kid, certificate, trouble, policy } => {
            let told = certificate.map(Told::of);
            let (subject, serial) =
                (told.as_ref().map(|told| told.subject), told.as_ref().map(|told| told.serial));
            let (cause, policy) = (trouble.label(), policy.label());
            tracing::warn!(
                event = label,
                issuer,
                kid,
                subject,
                serial,
                cause,
                policy,
                "something is wrong with the certificate around a key: {trouble}"
            );
        }
        _ => {}
    }
}

/// A certificate in fields of a line.
struct Told<'a> {
    subject: &'a str,
    serial: &'a str,
    not_after: String,
}

impl<'a> Told<'a> {
    fn of(certificate: &'a WrapperCertificate) -> Self {
        let not_after = rfc3339(certificate.not_after);
        Self { subject: &certificate.subject, serial: &certificate.serial, not_after }
    }
}

/// Key ids for a field of a line, which is flat: separated by commas, `-` for a key without one.
fn kids(kids: &[Option<String>]) -> String {
    kids.iter().map(|kid| kid.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(",")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
