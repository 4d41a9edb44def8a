//! While the database does not do what it is asked: told once, then once a minute, and when it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyward::MonoTime;

/// While it goes on, and where it comes and goes, a line as often as this.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// It is over when something succeeds and nothing has failed for this long: a database may read and not write.
const CALM: Duration = Duration::from_secs(5);

/// How the last statements went.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Whether there is one: all that a statement looks at which succeeds while there is none.
    is_on: AtomicBool,
    course: Mutex<Course>,
}

#[derive(Debug, Default)]
struct Course {
    trouble: Option<Trouble>,
    last_told: Option<MonoTime>,
}

/// Statements that failed, with no calm between them.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    since: MonoTime,
    last: MonoTime,
    failures: u64,
    is_told: bool,
}

/// What is to be told of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Told {
    /// Statements that failed in it.
    pub(super) failures: u64,
    /// From the first one to now, or to the last one where it is over.
    pub(super) seconds: u64,
}

impl Outage {
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// A statement failed. What is to be told, unless a line said so within the last minute.
    pub(super) fn failed(&self, now: MonoTime) -> Option<Told> {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_on.store(true, Ordering::Relaxed);
        let is_due = course.last_told.is_none_or(|told| now >= told.saturating_add(LINE_EVERY));
        let begun = Trouble { since: now, last: now, failures: 0, is_told: false };
        let Trouble { since, failures, is_told, .. } = course.trouble.unwrap_or(begun);
        let failures = failures.saturating_add(1);
        course.trouble = Some(Trouble { since, last: now, failures, is_told: is_told || is_due });
        is_due.then(|| {
            course.last_told = Some(now);
            Told { failures, seconds: now.saturating_since(since).as_secs() }
        })
    }

    /// A statement succeeded. What is over with that, where a line had said that it began.
    pub(super) fn succeeded(&self, now: MonoTime) -> Option<Told> {
        let mut course = self.course.lock().unwrap_or_else(PoisonError::into_inner);
        let over = course.trouble.take_if(|trouble| now >= trouble.last.saturating_add(CALM))?;
        self.is_on.store(false, Ordering::Relaxed);
        let seconds = over.last.saturating_since(over.since).as_secs();
        over.is_told.then_some(Told { failures: over.failures, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tenths: u64) -> MonoTime {
        MonoTime(tenths * 100_000_000)
    }

    #[test]
    fn a_flood_while_the_database_is_down_is_a_line_a_minute_and_one_when_it_is_over() {
        let outage = Outage::default();
        let mut told = Vec::new();
        for tenth in 0..1300 {
            for _ in 0..1000 {
                told.extend(outage.failed(at(tenth)).map(|told| (tenth, told)));
            }
        }
        let line = |failures, seconds| Told { failures, seconds };
        assert_eq!(told, [(0, line(1, 0)), (600, line(600_001, 60)), (1200, line(1_200_001, 120))]);
        assert!(outage.is_on() && outage.succeeded(at(1348)).is_none());
        assert_eq!(outage.succeeded(at(1349)), Some(line(1_300_000, 129)));
        assert!(!outage.is_on() && outage.succeeded(at(1350)).is_none());
    }

    #[test]
    fn a_database_that_reads_and_does_not_write_is_one_outage() {
        let outage = Outage::default();
        let told = (0..1300).filter(|tenth| {
            let failed = outage.failed(at(*tenth)).is_some();
            assert!(outage.succeeded(at(*tenth)).is_none());
            failed
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 600, 1200]);
    }

    #[test]
    fn one_that_comes_and_goes_is_told_of_once_a_minute() {
        let outage = Outage::default();
        let mut told = Vec::new();
        for begin in (0..1200).step_by(100) {
            told.extend(outage.failed(at(begin)).map(|_| (begin, "failed")));
            told.extend(outage.succeeded(at(begin + 60)).map(|_| (begin, "over")));
        }
        assert_eq!(told, [(0, "failed"), (0, "over"), (600, "failed"), (600, "over")]);
    }
}
