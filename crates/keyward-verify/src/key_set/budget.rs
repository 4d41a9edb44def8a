//! How many fetches unknown key ids may cause: a burst, then one per interval.

use std::time::Duration;

use crate::MonoTime;

/// A token bucket that is kept as the time at which it would be full (GCRA).
#[derive(Clone, Debug)]
pub(super) struct Budget {
    burst: u32,
    refill: Duration,
    full_at: MonoTime,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(burst: u32, refill: Duration) -> Self {
        Self { burst, refill, full_at: MonoTime(0) }
    }

    /// Takes one out; `false` where none is left.
    pub(super) fn take(&mut self, now: MonoTime) -> bool {
        if now < self.next(now) {
            return false;
        }
        self.full_at = self.full_at.max(now).saturating_add(self.refill);
        true
    }

    /// The earliest time at which one can be taken out: `now` where one is there.
    pub(super) fn next(&self, now: MonoTime) -> MonoTime {
        let spare = self.refill * self.burst.saturating_sub(1);
        let missing = self.full_at.saturating_since(now);
        if self.burst == 0 { MonoTime::NEVER } else { now.saturating_add(missing.saturating_sub(spare)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_at_once_then_one_per_ten_seconds() {
        let second = |s: u64| MonoTime(s * 1_000_000_000);
        let mut budget = Budget::new(4, Duration::from_secs(10));
        let now = second(1000);
        assert_eq!((0..10).filter(|_| budget.take(now)).count(), 4);
        assert_eq!(budget.next(now), second(1010));
        assert!(!budget.take(second(1009)));
        assert!(budget.take(second(1010)));
        assert!(!budget.take(second(1019)));
        assert!(budget.take(second(1020)));
        assert_eq!((0..10).filter(|_| budget.take(second(9000))).count(), 4);
    }

    #[test]
    fn an_empty_budget_gives_nothing() {
        let mut budget = Budget::new(0, Duration::from_secs(10));
        assert!(!budget.take(MonoTime(1)));
        assert_eq!(budget.next(MonoTime(1)), MonoTime::NEVER);
    }
}
