//! One set of keys, as it was fetched, and the keys in it, as they live on through refreshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_jose::{Algorithm, MalformedWrapping, SkippedJwk, UnusableKey, VerificationKey, Wrapping};
use keyward_x509::TrustStore;

use super::tally::Tally;
use super::{KeyVerdicts, Wrapper};
use crate::{MonoTime, Now, Reason, UnixTime};

/// A key and for how long it may verify.
///
/// The same key in the next set is the same `LiveKey`; verdicts hold on to it, and learn from it at once
/// that a refresh removed it or that its set went past the stale limit.
#[derive(Debug)]
pub struct LiveKey {
    key: VerificationKey,
    aliases: ArcSwap<Vec<Box<str>>>,
    first_seen: UnixTime,
    usable_until: AtomicU64,
    wrapped: ArcSwap<Wrapped>,
    /// When its certificate is over, whatever else is wrong with it.
    wrapper_expires_at: AtomicI64,
    /// From when until when its certificate is in order: what a verdict has to compare.
    wrapper_holds_from: AtomicI64,
    wrapper_holds_until: AtomicI64,
    tally: Tally,
}

/// The certificate around a key as the newest set has it, and what was found of it.
#[derive(Debug, Default)]
struct Wrapped {
    wrapping: Option<Result<Wrapping, MalformedWrapping>>,
    wrapper: Option<Arc<Wrapper>>,
}

impl LiveKey {
    pub(super) fn new(key: VerificationKey, first_seen: UnixTime, usable_until: MonoTime) -> Self {
        Self {
            key,
            aliases: ArcSwap::default(),
            first_seen,
            usable_until: AtomicU64::new(usable_until.0),
            wrapped: ArcSwap::default(),
            wrapper_expires_at: AtomicI64::new(i64::MAX),
            wrapper_holds_from: AtomicI64::new(i64::MIN),
            wrapper_holds_until: AtomicI64::new(i64::MAX),
            tally: Tally::default(),
        }
    }

    /// A key that is no provider's to take back, such as a secret from a file.
    pub fn fixed(key: VerificationKey, first_seen: UnixTime) -> Self {
        Self::new(key, first_seen, MonoTime::NEVER)
    }

    /// The key.
    pub fn key(&self) -> &VerificationKey {
        &self.key
    }

    /// When this key was first seen in this process, or in the snapshot that it started from.
    pub fn first_seen(&self) -> UnixTime {
        self.first_seen
    }

    /// Whether the key may verify now: it was not removed, and its set is within the stale limit.
    pub fn is_usable(&self, now: MonoTime) -> bool {
        now.0 < self.usable_until.load(Ordering::Acquire)
    }

    /// The certificate around it, where it has one or must have one.
    pub fn wrapper(&self) -> Option<Arc<Wrapper>> {
        self.wrapped.load().wrapper.clone()
    }

    /// How many verdicts it was used for.
    pub fn verdicts(&self) -> KeyVerdicts {
        self.tally.sum()
    }

    /// Counts a verdict; `place` is any number that differs between threads.
    pub(crate) fn count(&self, now: UnixTime, place: usize) {
        self.tally.count(place, now.0 >= self.wrapper_expires_at.load(Ordering::Relaxed));
    }

    /// Whether its certificate is in order now, or it has none and needs none.
    pub(crate) fn wrapper_holds(&self, now: UnixTime) -> bool {
        now.0 >= self.wrapper_holds_from.load(Ordering::Acquire)
            && now.0 < self.wrapper_holds_until.load(Ordering::Acquire)
    }

    /// Why its certificate is not in order.
    pub(crate) fn wrapper_refusal(&self, now: UnixTime) -> Option<Reason> {
        self.wrapped.load().wrapper.as_ref().and_then(|wrapper| wrapper.refusal(now))
    }

    /// Takes in what the newest set says of its certificate: the key stays the same (promise 7).
    pub(super) fn wrap(
        &self,
        wrapping: Option<Result<Wrapping, MalformedWrapping>>,
        anchors: Option<&TrustStore>,
        now: UnixTime,
    ) {
        let read = wrapping.as_ref().map(|wrapping| wrapping.as_ref().map_err(|malformed| *malformed));
        let wrapper = Wrapper::inspect(&self.key, read, anchors, now).map(Arc::new);
        let found = wrapper.as_deref();
        let certificate = found.and_then(|wrapper| wrapper.certificate.as_ref());
        let from = certificate.map_or(i64::MIN, |certificate| certificate.not_before.0);
        let expires_at = found.and_then(Wrapper::expires_at).map_or(i64::MAX, |at| at.0);
        let is_troubled = found.is_some_and(|wrapper| wrapper.trouble.is_some());
        let until = if is_troubled { i64::MIN } else { expires_at };
        self.wrapped.store(Arc::new(Wrapped { wrapping, wrapper }));
        self.wrapper_expires_at.store(expires_at, Ordering::Release);
        self.wrapper_holds_from.store(from, Ordering::Release);
        self.wrapper_holds_until.store(until, Ordering::Release);
    }

    /// The same under other anchors.
    pub(super) fn wrap_again(&self, anchors: Option<&TrustStore>, now: UnixTime) {
        let wrapping = self.wrapped.load().wrapping.clone();
        self.wrap(wrapping, anchors, now);
    }

    /// Whether its set publishes this public key under `kid`, as this key or as another one.
    pub(crate) fn goes_by(&self, kid: &str) -> bool {
        self.key.kid() == Some(kid) || self.aliases.load().iter().any(|alias| **alias == *kid)
    }

    pub(super) fn set_aliases(&self, aliases: Vec<Box<str>>) {
        self.aliases.store(Arc::new(aliases));
    }

    pub(super) fn extend(&self, usable_until: MonoTime) {
        self.usable_until.store(usable_until.0, Ordering::Release);
    }

    pub(super) fn retire(&self) {
        self.usable_until.store(0, Ordering::Release);
    }

    /// Whether this is the same key under the same name, for the same algorithms.
    pub(super) fn is_same(&self, other: &VerificationKey) -> bool {
        self.key.kid() == other.kid()
            && self.key.algorithms() == other.algorithms()
            && self.key.thumbprint() == other.thumbprint()
    }
}

/// The other kids under which `keys` hold this public key.
pub(super) fn aliases(key: &VerificationKey, keys: &[VerificationKey]) -> Vec<Box<str>> {
    let same =
        |other: &&VerificationKey| key.thumbprint().is_some() && key.thumbprint() == other.thumbprint();
    let kids = keys.iter().filter(same).filter_map(VerificationKey::kid);
    kids.filter(|kid| key.kid() != Some(kid)).map(Box::from).collect()
}

/// Where a set came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the provider, by this process.
    Fetched,
    /// From the disk, where an earlier process left it.
    Snapshot,
}

impl Source {
    /// The label in logs, metrics and `/debug/jwks-cache`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A set of keys that never changes; the next one takes its place.
#[derive(Debug)]
pub struct KeySet {
    pub(super) keys: Box<[Arc<LiveKey>]>,
    pub(super) skipped: Box<[SkippedJwk]>,
    pub(super) source: Source,
    pub(super) fetch_started: Now,
    pub(super) fresh_until: MonoTime,
    pub(super) usable_until: MonoTime,
}

impl KeySet {
    /// The usable keys, in the provider's order.
    pub fn keys(&self) -> &[Arc<LiveKey>] {
        &self.keys
    }

    /// The keys that cannot be used, with their reasons.
    pub fn skipped(&self) -> &[SkippedJwk] {
        &self.skipped
    }

    /// Where it came from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// When its fetch began: it holds what the provider published then, or later.
    pub fn fetch_started(&self) -> Now {
        self.fetch_started
    }

    /// When its fetch began by the wall clock of now, or earlier: that clock may have been put right since,
    /// and what it said then would make later tokens look older than the set.
    pub(crate) fn fetch_started_by(&self, now: Now) -> UnixTime {
        let Now { wall, mono } = self.fetch_started;
        match self.source {
            Source::Fetched => {
                let age = now.mono.saturating_since(mono);
                wall.min(now.wall.saturating_sub(age.saturating_add(Duration::from_nanos(999_999_999))))
            }
            Source::Snapshot => wall,
        }
    }

    /// Until when it is fresh.
    pub fn fresh_until(&self) -> MonoTime {
        self.fresh_until
    }

    /// Until when it may verify.
    pub fn usable_until(&self) -> MonoTime {
        self.usable_until
    }

    /// The keys with this `kid`, in the provider's order.
    pub(crate) fn named<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a Arc<LiveKey>> {
        self.keys.iter().filter(move |live| live.key().kid() == Some(kid))
    }

    /// Whether a key with this `kid` was skipped that tokens may be signed with: it is the issuer's fault that it
    /// cannot be used. A key for another purpose, such as encryption, signs nothing.
    pub(crate) fn skips(&self, kid: &str) -> bool {
        let signs = |jwk: &&SkippedJwk| jwk.reason != UnusableKey::NotForVerification;
        self.skipped.iter().filter(signs).any(|jwk| jwk.kid.as_deref() == Some(kid))
    }

    /// The keys without a `kid` that serve `algorithm`.
    pub(crate) fn nameless(&self, algorithm: Algorithm) -> impl Iterator<Item = &Arc<LiveKey>> {
        self.serving(algorithm).filter(|live| live.key().kid().is_none())
    }

    /// The keys that serve `algorithm`.
    pub(crate) fn serving(&self, algorithm: Algorithm) -> impl Iterator<Item = &Arc<LiveKey>> {
        self.keys.iter().filter(move |live| live.key().serves(algorithm))
    }
}
