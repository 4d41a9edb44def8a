//! How many different keys the tokens named that no key set holds: a few are a provider's mistake, many are junk.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use keyward::{MonoTime, Reason, entropy};

/// So many tokens are looked at in a second: to find a token's `kid` takes a while, and junk comes in floods.
const A_SECOND: u32 = 16;

/// So many of the last are kept, and so many keys that were withdrawn.
const KEPT: usize = 1024;
const WITHDRAWN: usize = 256;

/// The last tokens whose key was not known, each as a number that stands for its `kid`.
#[derive(Debug)]
pub(super) struct UnknownKids {
    /// What the numbers are made with: nobody outside can choose two that are one.
    seed: u64,
    second: MonoTime,
    in_second: u32,
    last: VecDeque<(MonoTime, u64)>,
    withdrawn: VecDeque<u64>,
}

/// What is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Told {
    verdicts: usize,
    different: usize,
    of_withdrawn_keys: usize,
}

/// Whether a verdict for this reason says that the token's key is not known.
pub(super) fn is_of_unknown_kid(reason: Reason) -> bool {
    matches!(reason, Reason::KeyRefreshLimited | Reason::KeysUnavailable | Reason::UnknownKid)
}

impl UnknownKids {
    pub(super) fn new(now: MonoTime) -> Self {
        let (last, withdrawn) = (VecDeque::new(), VecDeque::new());
        Self { seed: entropy::seed(), second: now, in_second: 0, last, withdrawn }
    }

    /// Whether one more token is looked at now.
    pub(super) fn admits(&mut self, now: MonoTime) -> bool {
        if now.saturating_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.in_second) = (now, 0);
        }
        self.in_second = self.in_second.saturating_add(1);
        self.in_second <= A_SECOND
    }

    pub(super) fn push(&mut self, now: MonoTime, kid: &str) {
        if self.last.len() >= KEPT {
            self.last.pop_front();
        }
        self.last.push_back((now, self.number(kid)));
    }

    /// What a refresh brought, and what it found gone.
    pub(super) fn refreshed(&mut self, added: &[Option<String>], removed: &[Option<String>]) {
        let numbers = |kids: &[Option<String>]| -> BTreeSet<u64> {
            kids.iter().flatten().map(|kid| self.number(kid)).collect()
        };
        let (added, removed) = (numbers(added), numbers(removed));
        self.withdrawn.retain(|number| !added.contains(number) && !removed.contains(number));
        self.withdrawn.extend(removed.difference(&added));
        while self.withdrawn.len() > WITHDRAWN {
            self.withdrawn.pop_front();
        }
    }

    /// Those of the last `since`.
    pub(super) fn told(&self, now: MonoTime, since: Duration) -> Told {
        let is_recent = |(at, _): &&(MonoTime, u64)| now.saturating_since(*at) <= since;
        let numbers: Vec<u64> = self.last.iter().filter(is_recent).map(|(_, number)| *number).collect();
        let is_withdrawn = |number: &&u64| self.withdrawn.contains(number);
        Told {
            verdicts: numbers.len(),
            different: numbers.iter().collect::<BTreeSet<_>>().len(),
            of_withdrawn_keys: numbers.iter().filter(is_withdrawn).count(),
        }
    }

    fn number(&self, kid: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(kid.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn different_kids_are_counted_for_as_long_as_is_asked() {
        let mut kids = UnknownKids::new(MonoTime(0));
        kids.push(MonoTime(0), "old");
        for kid in ["a", "b", "a"] {
            kids.push(MonoTime(60 * SECOND), kid);
        }
        let told = |since| kids.told(MonoTime(61 * SECOND), Duration::from_secs(since));
        assert_eq!(told(5), Told { verdicts: 3, different: 2, of_withdrawn_keys: 0 });
        assert_eq!(told(600), Told { verdicts: 4, different: 3, of_withdrawn_keys: 0 });
    }

    #[test]
    fn a_key_that_is_gone_is_told_from_one_that_never_was_until_it_is_back() {
        let mut kids = UnknownKids::new(MonoTime(0));
        let key = || [Some("key-1".to_owned())];
        kids.refreshed(&[], &key());
        kids.push(MonoTime(0), "key-1");
        kids.push(MonoTime(0), "made-up");
        let told = |kids: &UnknownKids| kids.told(MonoTime(0), Duration::from_secs(1)).of_withdrawn_keys;
        assert_eq!(told(&kids), 1);
        kids.refreshed(&key(), &[None]);
        assert_eq!(told(&kids), 0);
    }

    #[test]
    fn a_flood_takes_no_more_time_and_memory_than_is_given_to_it() {
        let mut kids = UnknownKids::new(MonoTime(0));
        for place in 0..100_000_u64 {
            let now = MonoTime(place * SECOND / 1_000);
            if kids.admits(now) {
                kids.push(now, &place.to_string());
            }
            kids.refreshed(&[], &[Some(place.to_string())]);
        }
        assert_eq!(kids.last.len(), KEPT);
        assert_eq!(kids.withdrawn.len(), WITHDRAWN);
        let told = kids.told(MonoTime(100 * SECOND), Duration::from_secs(10));
        assert!((100..=176).contains(&told.verdicts), "{told:?}");
    }
}
