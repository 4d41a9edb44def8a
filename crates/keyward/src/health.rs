//! Whether something that is asked answers, and when that is worth telling.

use std::time::Duration;

use keyward_verify::MonoTime;

/// While it goes on, a failure is told again no more often than this.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// Another failure than the one that was told last is told after this.
const CHANGE_INTERVAL: Duration = Duration::from_secs(5);

/// How the last calls went; `F` is why one fails.
#[derive(Debug)]
pub(crate) struct Health<F> {
    last_success: Option<MonoTime>,
    last_told: Option<(MonoTime, F)>,
    failing: Option<Failing<F>>,
}

/// Calls that failed one after another.
#[derive(Clone, Debug)]
pub(crate) struct Failing<F> {
    pub(crate) since: MonoTime,
    pub(crate) failures: u64,
    pub(crate) failure: F,
    pub(crate) why: String,
    is_told: bool,
}

impl<F> Default for Health<F> {
    fn default() -> Self {
        Self { last_success: None, last_told: None, failing: None }
    }
}

impl<F: Copy + PartialEq> Health<F> {
    /// A call succeeded. What had failed before, where that was told.
    pub(crate) fn succeeded(&mut self, now: MonoTime) -> Option<Failing<F>> {
        self.last_success = Some(now);
        self.failing.take().filter(|failing| failing.is_told)
    }

    /// A call failed. What is to be told of it, unless that was done a moment ago.
    pub(crate) fn failed(&mut self, now: MonoTime, failure: F, why: String) -> Option<Failing<F>> {
        let before = self.failing.take();
        let is_due = self.last_told.is_none_or(|(told, what)| {
            let interval = if what == failure { TELL_INTERVAL } else { CHANGE_INTERVAL };
            now >= told.saturating_add(interval)
        });
        let failing = Failing {
            since: before.as_ref().map_or(now, |failing| failing.since),
            failures: before.as_ref().map_or(1, |failing| failing.failures.saturating_add(1)),
            failure,
            why,
            is_told: is_due || before.is_some_and(|failing| failing.is_told),
        };
        self.failing = Some(failing.clone());
        is_due.then(|| {
            self.last_told = Some((now, failure));
            failing
        })
    }

    pub(crate) fn last_success(&self) -> Option<MonoTime> {
        self.last_success
    }

    pub(crate) fn failing(&self) -> Option<&Failing<F>> {
        self.failing.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use keyward_verify::introspection::Failure;

    use super::*;

    #[test]
    fn an_endpoint_that_flaps_is_told_of_once_a_minute() {
        let mut health = Health::default();
        let at = |seconds: u64| MonoTime(seconds * 1_000_000_000);
        let mut told = Vec::new();
        for second in 0..120 {
            if let Some(failing) = health.failed(at(second), Failure::Unavailable, String::new()) {
                told.push((second, "failed", failing.failures));
            }
            if let Some(failing) = health.succeeded(at(second)) {
                told.push((second, "recovered", failing.failures));
            }
        }
        assert_eq!(told, [(0, "failed", 1), (0, "recovered", 1), (60, "failed", 1), (60, "recovered", 1)]);
    }

    #[test]
    fn an_outage_is_told_once_a_minute_with_how_long_it_is() {
        let mut health = Health::default();
        let at = |seconds: u64| MonoTime(seconds * 1_000_000_000);
        let told: Vec<_> = (0..130)
            .filter_map(|second| health.failed(at(second), Failure::TimedOut, "no answer".to_owned()))
            .map(|failing| (failing.since, failing.failures))
            .collect();
        assert_eq!(told, [(at(0), 1), (at(0), 61), (at(0), 121)]);
        let recovered = health.succeeded(at(130)).map(|failing| failing.failures);
        assert_eq!((recovered, health.last_success()), (Some(130), Some(at(130))));
        assert!(health.failing().is_none());
    }

    #[test]
    fn another_cause_is_told_without_a_minutes_wait_and_two_that_take_turns_are_no_flood() {
        let mut health = Health::default();
        let at = |seconds: u64| MonoTime(seconds * 1_000_000_000);
        let mut told = |second, failure| health.failed(at(second), failure, String::new()).is_some();
        assert!(told(0, Failure::TimedOut) && !told(4, Failure::Malformed) && told(5, Failure::Malformed));
        let turns = (6..66).filter(|second| {
            told(*second, if second % 2 == 0 { Failure::TimedOut } else { Failure::Malformed })
        });
        assert_eq!(turns.count(), 12);
    }
}
