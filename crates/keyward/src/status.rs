//! What is known of an issuer's keys, for `/debug/jwks-cache`, `/readyz` and the metrics. No secret is in it.

use keyward_verify::key_set::{KeySet, LiveKey, Wrapper};
use keyward_verify::strategy::Strategy;
use keyward_verify::{IssuerPolicy, Now, UnixTime};
use serde::Serialize;

use crate::clock::rfc3339;
use crate::introspection::IntrospectionStatus;
use crate::keeper::Keeper;
use crate::last_fetch::{ClockAhead, Known};

/// One issuer's keys, as they are now.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct IssuerStatus {
    /// Our name for it.
    pub name: String,
    /// What `iss` says.
    pub issuer: String,
    /// `empty`, `fresh`, `stale` or `expired`; `fixed` where there is no set to fetch.
    pub state: &'static str,
    /// Whether its tokens can be verified now.
    pub usable: bool,
    /// `fetched` or `snapshot`.
    pub source: Option<&'static str>,
    /// When the set's fetch began, in RFC 3339.
    pub fetched_at: Option<String>,
    /// How old the set is, in seconds.
    pub age_seconds: Option<u64>,
    /// How long until it verifies nothing, in seconds, unless a fetch succeeds.
    pub usable_for_seconds: Option<u64>,
    /// How old the set may become, in seconds; none where there is no set to fetch.
    pub stale_limit_seconds: Option<u64>,
    /// How long until the next fetch, in seconds; none while one is under way.
    pub next_refresh_seconds: Option<u64>,
    /// How many fetches have failed in a row.
    pub failures: u32,
    /// Why the last fetch failed: a `cause` of `jwks_refresh_failed`, or `crashed`; none where it did not.
    pub failing: Option<&'static str>,
    /// The same in words.
    pub last_error: Option<String>,
    /// By how many seconds the provider's clock is ahead of ours, negative where it is behind: by the `Date` of the last
    /// set that no cache on the way had kept. 0 where the clocks may agree; none where it was never told.
    pub clock_ahead_seconds: Option<f64>,
    /// How far that may be off, in seconds.
    pub clock_uncertain_by_seconds: Option<f64>,
    /// The key ids that the operator denies. What is published under them verifies nothing.
    pub denied_kids: Vec<String>,
    /// What the certificates around its keys mean for tokens: `enforce`, `ignore` or `warn`.
    pub wrapper_policy: &'static str,
    /// The usable keys.
    pub keys: Vec<KeyStatus>,
    /// The keys of the set that cannot be used.
    pub skipped: Vec<SkippedKeyStatus>,
    /// Its introspection endpoint, where it has one.
    pub introspection: Option<IntrospectionStatus>,
}

/// One key that can verify.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct KeyStatus {
    /// `kid`, where it has one.
    pub kid: Option<String>,
    /// `kty`.
    pub kty: &'static str,
    /// The algorithms that it serves.
    pub algorithms: Vec<&'static str>,
    /// Its size: of the modulus, the curve or the secret.
    pub bits: usize,
    /// Its RFC 7638 thumbprint; none for a secret.
    pub thumbprint: Option<String>,
    /// When it was first seen, in RFC 3339.
    pub first_seen: String,
    /// How many tokens it verified that were accepted, or refused for its certificate alone, since it was first seen.
    pub verdicts: u64,
    /// Those of them that came while the certificate around it was over.
    pub expired_wrapper_verdicts: u64,
    /// The X.509 certificate around it, where it has one or must have one.
    pub wrapper: Option<WrapperStatus>,
}

/// The X.509 certificate around a key.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct WrapperStatus {
    /// `valid`, `expired`, `not_yet_valid`, or what else is wrong with it: `absent`, `key_mismatch`, `malformed`,
    /// `thumbprint_mismatch` or `untrusted`.
    pub state: &'static str,
    /// The same in words, where something else is wrong.
    pub description: Option<String>,
    /// Its subject, where it can be read.
    pub subject: Option<String>,
    /// Its serial number in hexadecimal digits.
    pub serial: Option<String>,
    /// From when it is valid, in RFC 3339.
    pub not_before: Option<String>,
    /// Until when, that second included.
    pub not_after: Option<String>,
    /// How long until it is over, in seconds; negative once it is, by how long ago that was. None where it is not
    /// known to be this key's.
    pub expires_in_seconds: Option<i64>,
}

/// One key that cannot.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct SkippedKeyStatus {
    /// Its place in the set, from 0.
    pub index: usize,
    /// `kid`, where it could be read.
    pub kid: Option<String>,
    /// The reason's label.
    pub reason: &'static str,
    /// The reason in words.
    pub description: String,
}

impl IssuerStatus {
    /// `policy` is that of the verifier, which may be younger than its keeper.
    pub(crate) fn of(keeper: &Keeper, policy: &IssuerPolicy, now: Now) -> Self {
        let published = keeper.published();
        let current = published.current();
        let set: Option<&KeySet> = current.as_deref();
        let state = published.state(now.mono);
        let fetches = keeper.settings().source.is_some();
        let (next_fetch, failures) = keeper.outlook();
        let Known { trouble, clock_ahead } = keeper.known();
        let until = |deadline: keyward_verify::MonoTime| deadline.saturating_since(now.mono).as_secs();
        let keys = set.map_or(&[][..], KeySet::keys).iter().chain(published.fixed());
        Self {
            name: policy.name.to_string(),
            issuer: policy.issuer.to_string(),
            state: if fetches { state.label() } else { "fixed" },
            usable: state.is_usable() || !published.fixed().is_empty(),
            source: set.map(|set| set.source().label()),
            fetched_at: set.map(|set| rfc3339(set.fetch_started().wall)),
            age_seconds: set.map(|set| now.wall.saturating_since(set.fetch_started().wall).as_secs()),
            usable_for_seconds: set.map(|set| until(set.usable_until())),
            stale_limit_seconds: fetches.then(|| keeper.settings().key_set.stale_limit.as_secs()),
            next_refresh_seconds: next_fetch.filter(|_| fetches).map(until),
            failures,
            failing: trouble.as_ref().map(|trouble| trouble.label),
            last_error: trouble.map(|trouble| trouble.why),
            clock_ahead_seconds: clock_ahead.map(ClockAhead::certain),
            clock_uncertain_by_seconds: clock_ahead.map(ClockAhead::uncertain_by),
            denied_kids: policy.denied_kids.iter().map(ToString::to_string).collect(),
            wrapper_policy: policy.wrapper.label(),
            keys: keys.map(|live| KeyStatus::of(live, now.wall)).collect(),
            skipped: set.map_or(&[][..], KeySet::skipped).iter().map(SkippedKeyStatus::of).collect(),
            introspection: None,
        }
    }

    /// The same with its introspection endpoint, which may be all that its tokens are decided by.
    pub(crate) fn with(self, strategy: Strategy, introspection: Option<IntrospectionStatus>) -> Self {
        let by_keys = self.usable;
        let by_endpoint = introspection.as_ref().is_some_and(IntrospectionStatus::is_usable);
        let usable = match strategy {
            Strategy::Both => by_keys && by_endpoint,
            Strategy::Introspection => by_endpoint,
            Strategy::IntrospectionThenKeySet | Strategy::KeySetThenIntrospection => by_keys || by_endpoint,
            Strategy::KeySet => by_keys,
        };
        Self { usable, introspection, ..self }
    }
}

impl KeyStatus {
    fn of(live: &LiveKey, now: UnixTime) -> Self {
        let (key, verdicts) = (live.key(), live.verdicts());
        Self {
            kid: key.kid().map(str::to_owned),
            kty: key.key_type().name(),
            algorithms: key.algorithms().iter().map(keyward_jose::Algorithm::name).collect(),
            bits: key.bits(),
            thumbprint: key.thumbprint().map(|thumbprint| thumbprint.to_string()),
            first_seen: rfc3339(live.first_seen()),
            verdicts: verdicts.total,
            expired_wrapper_verdicts: verdicts.expired_wrapper,
            wrapper: live.wrapper().map(|wrapper| WrapperStatus::of(&wrapper, now)),
        }
    }
}

impl WrapperStatus {
    /// What there is to show of it at `now`.
    pub fn of(wrapper: &Wrapper, now: UnixTime) -> Self {
        let certificate = wrapper.certificate.as_ref();
        Self {
            state: wrapper.state(now),
            description: wrapper.trouble.as_ref().map(ToString::to_string),
            subject: certificate.map(|certificate| certificate.subject.to_string()),
            serial: certificate.map(|certificate| certificate.serial.to_string()),
            not_before: certificate.map(|certificate| rfc3339(certificate.not_before)),
            not_after: certificate.map(|certificate| rfc3339(certificate.not_after)),
            expires_in_seconds: wrapper.expires_at().map(|at| at.0.saturating_sub(now.0)),
        }
    }
}

impl SkippedKeyStatus {
    fn of(skipped: &keyward_jose::SkippedJwk) -> Self {
        Self {
            index: skipped.index,
            kid: skipped.kid.clone(),
            reason: skipped.reason.label(),
            description: skipped.reason.to_string(),
        }
    }
}
