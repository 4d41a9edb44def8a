//! Which refusals are logged: for each cause as many a second as somebody can read, and how many were left out.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use keyward::MonoTime;

use crate::cause::Cause;

/// Lines a second, for each cause. A flood of junk says the same thing ten thousand times.
const LINES_A_SECOND: u32 = 20;

const SECOND: u64 = 1_000_000_000;

/// Counts lines by cause.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    causes: Box<[Lines]>,
    handshakes: Lines,
}

/// Of one sort, bounded together.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    second: AtomicU64,
    written: AtomicU32,
    left_out: AtomicU64,
}

impl RefusalLog {
    pub(crate) fn new() -> Self {
        Self { causes: Cause::ALL.iter().map(|_| Lines::default()).collect(), handshakes: Lines::default() }
    }

    /// Whether a line for this cause is written now: with how many were left out since the last one.
    pub(crate) fn admit(&self, cause: Cause, now: MonoTime) -> Option<u64> {
        self.causes.get(cause as usize).map_or(Some(0), |lines| lines.admit(now))
    }

    /// The same for a TLS handshake that came to nothing.
    pub(crate) fn admit_handshake(&self, now: MonoTime) -> Option<u64> {
        self.handshakes.admit(now)
    }
}

impl Lines {
    /// Whether a line is written now: with how many were left out since the last one. Two threads at the turn of a second may
    /// write a line more between them; none is lost from the count.
    pub(crate) fn admit(&self, now: MonoTime) -> Option<u64> {
        let second = now.0 / SECOND;
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.written.store(0, Ordering::Relaxed);
        }
        if self.written.fetch_add(1, Ordering::Relaxed) < LINES_A_SECOND {
            Some(self.left_out.swap(0, Ordering::Relaxed))
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted_for_each_cause_apart() {
        let log = RefusalLog::new();
        let at = |seconds: u64| MonoTime(seconds * SECOND + 1);
        let written = |cause, now| (0..1000).filter(|_| log.admit(cause, now).is_some()).count();
        assert_eq!(written(Cause::SecretWrong, at(7)), 20);
        assert_eq!(written(Cause::SecretWrong, at(7)), 0);
        assert_eq!(written(Cause::AssertionExpired, at(7)), 20);
        assert_eq!(log.admit(Cause::SecretWrong, at(8)), Some(1980));
        assert_eq!((0..1000).filter(|_| log.admit_handshake(at(8)).is_some()).count(), 20);
    }

    #[test]
    fn every_cause_has_a_place_of_its_own() {
        for (place, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(*cause as usize, place);
        }
    }
}
