//! Proofs that were used, for as long as they could be used again (RFC 9449 §11.1).

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Now, Reason, UnixTime};

/// A proof that may be used once: everything about it was found to hold but that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// What tells it from every other one.
    pub key: ReplayKey,
    /// Its `iat`.
    pub issued_at: UnixTime,
    /// The time from which it is too old to be used at all: it may be forgotten then.
    pub until: UnixTime,
}

/// A keyed hash of the key that made a proof, its `jti` and its `htu`: the same for the same proof, wherever the same
/// secret keys it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplayKey(pub(super) [u8; 32]);

impl ReplayKey {
    /// The 32 octets, for a memory that is shared.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The half that is remembered here: nobody who does not know the secret can make two alike.
    fn half(&self) -> u128 {
        self.0.first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayKey").finish_non_exhaustive()
    }
}

/// A bounded, sharded memory of proofs that were used.
///
/// - Only a proof that verified, by the key that a verified token is bound to, is remembered: no stranger fills it.
/// - It never forgets one that could still be used. Where it is full it says so, and the request is
///   [`Reason::Overloaded`].
/// - Where a clock that jumped made it forget, it does not vouch for proofs as old as those: they count as too old.
pub struct ReplayCache {
    shards: [Mutex<Shard>; SHARDS],
    limit: AtomicUsize,
    len: AtomicUsize,
    /// The latest `iat` of what was forgotten.
    forgotten: AtomicI64,
}

#[derive(Default)]
struct Shard {
    seen: HashSet<u128, BuildHasherDefault<Low>>,
    by_age: BinaryHeap<Reverse<Entry>>,
}

/// The first to go is the least.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    until: UnixTime,
    issued_at: UnixTime,
    key: u128,
}

/// Enough that cores seldom wait for each other.
const SHARDS: usize = 16;

impl ReplayCache {
    /// 500,000 proofs, of about 100 octets each: four thousand a second that live for two minutes.
    pub const DEFAULT_LIMIT: usize = 500_000;

    /// An empty memory of at most `limit` proofs.
    pub fn new(limit: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            limit: AtomicUsize::new(limit),
            len: AtomicUsize::new(0),
            forgotten: AtomicI64::new(i64::MIN),
        }
    }

    /// Another limit from now on; what is remembered stays.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Remembers that a proof is used now. Of several who ask at once about the same one, one is told yes.
    ///
    /// # Errors
    /// [`Reason::ProofReplayed`] where it was used before, [`Reason::ProofInvalid`] where it is as old as what was
    /// forgotten, and [`Reason::Overloaded`] where there is no room.
    pub fn remember(&self, now: Now, once: &Once) -> Result<(), Reason> {
        let key = once.key.half();
        if self.enter(now, once, key)? {
            return Ok(());
        }
        // What the other shards hold may be too old by now.
        self.shards.iter().for_each(|shard| self.forget_old(now, &mut lock(shard)));
        if self.enter(now, once, key)? { Ok(()) } else { Err(Reason::Overloaded) }
    }

    /// Takes [`remember`](Self::remember) back, where the request was not let through after all: its proof is not used. The
    /// place that it took stays taken until it is too old.
    pub fn release(&self, once: &Once) {
        let key = once.key.half();
        self.shard(key).seen.remove(&key);
    }

    /// Whether there was room for it.
    fn enter(&self, now: Now, once: &Once, key: u128) -> Result<bool, Reason> {
        let mut shard = self.shard(key);
        self.forget_old(now, &mut shard);
        if shard.seen.contains(&key) {
            return Err(Reason::ProofReplayed);
        }
        // Read while the shard is held, so that what it forgot counts.
        if once.until <= now.wall || once.issued_at.0 <= self.forgotten.load(Ordering::Acquire) {
            return Err(Reason::ProofInvalid);
        }
        if !self.take_place() {
            return Ok(false);
        }
        shard.seen.insert(key);
        shard.by_age.push(Reverse(Entry { until: once.until, issued_at: once.issued_at, key }));
        Ok(true)
    }

    /// How many proofs are remembered; some may be too old already.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take_place(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |len| (len < limit).then_some(len + 1);
        self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn forget_old(&self, now: Now, shard: &mut Shard) {
        while let Some(oldest) = shard.by_age.peek_mut().filter(|oldest| oldest.0.until <= now.wall) {
            let Reverse(Entry { issued_at, key, .. }) = PeekMut::pop(oldest);
            self.forgotten.fetch_max(issued_at.0, Ordering::AcqRel);
            shard.seen.remove(&key);
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The first bits say which; the last ones are what it hashes by.
    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let place = usize::try_from(key >> (u128::BITS - SHARDS.ilog2())).unwrap_or(0);
        lock(self.shards.get(place).unwrap_or(first))
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for ReplayCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The last octets of what is a hash already.
#[derive(Default)]
struct Low(u64);

impl Hasher for Low {
    fn write(&mut self, octets: &[u8]) {
        if let Some(last) = octets.last_chunk() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
