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
    fn four_at_once_then_one_per_second() {
        let millis = |ms: u64| MonoTime(ms * 1_000_000);
        let mut budget = Budget::new(4, Duration::from_secs(1));
        let now = millis(100_000);
        assert_eq!((0..10).filter(|_| budget.take(now)).count(), 4);
        assert_eq!(budget.next(now), millis(101_000));
        assert!(!budget.take(millis(100_999)));
        assert!(budget.take(millis(101_000)));
        assert!(!budget.take(millis(101_999)));
        assert!(budget.take(millis(102_000)));
        assert_eq!((0..10).filter(|_| budget.take(millis(900_000))).count(), 4);
    }

    #[test]
    fn an_empty_budget_gives_nothing() {
        let mut budget = Budget::new(0, Duration::from_secs(1));
        assert!(!budget.take(MonoTime(1)));
        assert_eq!(budget.next(MonoTime(1)), MonoTime::NEVER);
    }
}
