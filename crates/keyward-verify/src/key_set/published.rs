//! What verdicts read: the set as it is now, without a lock.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::{KeySet, LiveKey};
use crate::MonoTime;

/// The keys of one issuer as verdicts see them. Only [`KeySetMachine`](super::KeySetMachine) changes them.
#[derive(Debug, Default)]
pub struct PublishedKeys {
    set: ArcSwapOption<KeySet>,
    fixed: Box<[Arc<LiveKey>]>,
}

/// How far along its life a key set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetState {
    /// There is none yet.
    Empty,
    /// It is within its TTL.
    Fresh,
    /// Past its TTL, within the stale limit.
    Stale,
    /// Past the stale limit: it verifies nothing.
    Expired,
}

impl KeySetState {
    /// The label in logs, metrics and `/debug/jwks-cache`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }

    /// Whether keys in this state verify.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Fresh | Self::Stale)
    }
}

impl PublishedKeys {
    /// No set yet, and these keys beside whatever sets come: secrets from a file, which no provider's set
    /// holds and none removes.
    pub fn new(fixed: Vec<LiveKey>) -> Self {
        Self { set: ArcSwapOption::empty(), fixed: fixed.into_iter().map(Arc::new).collect() }
    }

    /// The set of these keys, for whoever goes on keeping it, beside other keys that are in no set.
    #[must_use]
    pub fn succeeded_by(&self, fixed: Vec<LiveKey>) -> Self {
        Self { set: ArcSwapOption::new(self.set.load_full()), ..Self::new(fixed) }
    }

    /// The set as it is now.
    pub fn current(&self) -> Guard<Option<Arc<KeySet>>> {
        self.set.load()
    }

    /// The keys that are in no set.
    pub fn fixed(&self) -> &[Arc<LiveKey>] {
        &self.fixed
    }

    /// How far along its life the set is.
    pub fn state(&self, now: MonoTime) -> KeySetState {
        match &*self.current() {
            None => KeySetState::Empty,
            Some(set) if now < set.fresh_until => KeySetState::Fresh,
            Some(set) if now < set.usable_until => KeySetState::Stale,
            Some(_) => KeySetState::Expired,
        }
    }

    pub(super) fn publish(&self, set: KeySet) {
        self.set.store(Some(Arc::new(set)));
    }
}
