//! Key ids that a fetch looked for and did not find.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::MonoTime;

/// Remembers the hashes of absent key ids for a while, as many as [`AbsentKids::LIMIT`]; the oldest go
/// first. To forget one early costs a fetch out of the burst, no more.
#[derive(Clone, Debug)]
pub(super) struct AbsentKids {
    memory: Duration,
    oldest_first: VecDeque<(MonoTime, u64)>,
    hashes: BTreeSet<u64>,
}

impl AbsentKids {
    /// 16 KiB of hashes: more than the budget lets anybody look for in the time they are kept.
    const LIMIT: usize = 1024;

    pub(super) fn new(memory: Duration) -> Self {
        Self { memory, oldest_first: VecDeque::new(), hashes: BTreeSet::new() }
    }

    pub(super) fn insert(&mut self, now: MonoTime, kid_hash: u64) {
        self.expire(now);
        if self.hashes.insert(kid_hash) {
            self.oldest_first.push_back((now.saturating_add(self.memory), kid_hash));
        }
        if self.oldest_first.len() > Self::LIMIT {
            self.forget_oldest();
        }
    }

    pub(super) fn contains(&mut self, now: MonoTime, kid_hash: u64) -> bool {
        self.expire(now);
        self.hashes.contains(&kid_hash)
    }

    fn expire(&mut self, now: MonoTime) {
        while self.oldest_first.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, kid_hash)) = self.oldest_first.pop_front() {
            self.hashes.remove(&kid_hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_in_time_and_stays_bounded() {
        let mut absent = AbsentKids::new(Duration::from_nanos(10));
        absent.insert(MonoTime(0), 7);
        assert!(absent.contains(MonoTime(9), 7));
        assert!(!absent.contains(MonoTime(10), 7));
        for hash in 0..5_000 {
            absent.insert(MonoTime(20), hash);
        }
        assert_eq!(absent.hashes.len(), AbsentKids::LIMIT);
        assert_eq!(absent.oldest_first.len(), AbsentKids::LIMIT);
        assert!(absent.contains(MonoTime(21), 4_999));
        assert!(!absent.contains(MonoTime(21), 0));
    }
}
