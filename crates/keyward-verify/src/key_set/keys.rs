//! One set of keys, as it was fetched, and the keys in it, as they live on through refreshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use keyward_jose::{Algorithm, SkippedJwk, UnusableKey, VerificationKey};

use crate::{MonoTime, Now, UnixTime};

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
}

impl LiveKey {
    pub(super) fn new(key: VerificationKey, first_seen: UnixTime, usable_until: MonoTime) -> Self {
        Self { key, aliases: ArcSwap::default(), first_seen, usable_until: AtomicU64::new(usable_until.0) }
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
