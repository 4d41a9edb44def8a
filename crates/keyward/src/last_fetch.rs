//! What the last fetches of an issuer's set say of it beside the keys: why they fail, and how its clock goes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_verify::UnixTime;

/// Remembers it.
#[derive(Debug, Default)]
pub(crate) struct LastFetch {
    known: Mutex<Known>,
}

/// What is known from fetches that came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Why the last one failed; none where it did not.
    pub(crate) trouble: Option<FetchTrouble>,
    /// How far its clock is ahead of ours, by the last answer that told.
    pub(crate) clock_ahead: Option<ClockAhead>,
}

/// Why a fetch failed: the cause's label, and in words.
#[derive(Clone, Debug)]
pub(crate) struct FetchTrouble {
    pub(crate) label: &'static str,
    pub(crate) why: String,
}

/// How far a provider's clock is ahead of ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClockAhead {
    /// In seconds, from the middle of the request on; negative where it is behind.
    measured: f64,
    /// How far that may be off: half of the time that the request took, and a second, since both clocks were read in whole
    /// ones.
    uncertain_by: f64,
}

impl LastFetch {
    pub(crate) fn known(&self) -> Known {
        self.lock().clone()
    }

    pub(crate) fn failed(&self, label: &'static str, why: String) {
        self.lock().trouble = Some(FetchTrouble { label, why });
    }

    pub(crate) fn succeeded(&self) {
        self.lock().trouble = None;
    }

    /// An answer that was asked for at `asked` and took so long.
    pub(crate) fn told_the_time(&self, date: Option<UnixTime>, asked: UnixTime, took: Duration) {
        if let Some(date) = date {
            self.lock().clock_ahead = Some(ClockAhead::measure(date, asked, took));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClockAhead {
    /// What the `Date` of an answer says (RFC 9110 §6.6.1), which was asked for at `asked` and took so long.
    pub(crate) fn measure(date: UnixTime, asked: UnixTime, took: Duration) -> Self {
        let half = took.as_secs_f64() / 2.0;
        let apart = i32::try_from(date.0.saturating_sub(asked.0));
        // A date that is lifetimes away is as wrong as one can be.
        let apart = apart.map_or(if date > asked { f64::MAX } else { f64::MIN }, f64::from);
        Self { measured: apart - half, uncertain_by: 1.0 + half }
    }

    /// By how many seconds it is ahead, as far as that is known: 0 where the clocks may agree.
    pub(crate) fn certain(self) -> f64 {
        if self.measured.abs() <= self.uncertain_by { 0.0 } else { self.measured }
    }

    pub(crate) fn uncertain_by(self) -> f64 {
        self.uncertain_by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(date: i64, took_ms: u64) -> f64 {
        ClockAhead::measure(UnixTime(1000 + date), UnixTime(1000), Duration::from_millis(took_ms)).certain()
    }

    #[test]
    fn clocks_that_may_agree_do() {
        // Asked at 1000.99, answered at 1001.01; or asked at 1000.00, and the date is of 1000.99.
        for (date, took) in [(0, 20), (1, 20), (-1, 0), (0, 900), (3, 4000), (0, 1900)] {
            assert_eq!(ahead(date, took), 0.0, "{date} {took}");
        }
    }

    #[test]
    fn clocks_that_cannot_agree_are_apart() {
        assert_eq!(ahead(120, 0), 120.0);
        assert_eq!(ahead(120, 2000), 119.0);
        assert_eq!(ahead(-30, 200), -30.1);
        assert_eq!(ahead(2, 100), 1.95);
        assert!(ahead(i64::MAX - 1000, 1) > 1e9 && ahead(i64::MIN, 1) < -1e9);
    }

    #[test]
    fn what_is_not_known_grows_with_the_time_a_request_takes() {
        let measured = ClockAhead::measure(UnixTime(5), UnixTime(0), Duration::from_secs(6));
        assert_eq!((measured.measured, measured.uncertain_by()), (2.0, 4.0));
        assert_eq!(measured.certain(), 0.0);
    }
}
