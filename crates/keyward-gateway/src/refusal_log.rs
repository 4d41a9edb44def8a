//! Which lines are logged of what strangers, or a machine without file descriptors, can repeat: for each reason as many a
//! second as somebody can read, and how many were left out.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use keyward::{Failure, FallbackCause, MonoTime, Reason};

/// Lines a second, for each reason. A flood of junk says the same thing ten thousand times.
const LINES_A_SECOND: u32 = 20;

/// Of connections that could not be accepted: the next one fails for the same reason.
const ACCEPTS_A_SECOND: u32 = 1;

const SECOND: u64 = 1_000_000_000;

/// Counts lines by reason.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    reasons: Box<[Lines]>,
    unclear: Lines,
    handshakes: Lines,
    accepts: Lines,
    forgotten: Lines,
    /// Fallbacks, by what the endpoint or the keys could not do.
    by_failure: Box<[Lines]>,
    by_reason: Box<[Lines]>,
}

#[derive(Debug, Default)]
struct Lines {
    second: AtomicU64,
    written: AtomicU32,
    left_out: AtomicU64,
}

impl RefusalLog {
    pub(crate) fn new() -> Self {
        let of_reasons = || Reason::ALL.iter().map(|_| Lines::default()).collect();
        Self {
            reasons: of_reasons(),
            unclear: Lines::default(),
            handshakes: Lines::default(),
            accepts: Lines::default(),
            forgotten: Lines::default(),
            by_failure: Failure::ALL.iter().map(|_| Lines::default()).collect(),
            by_reason: of_reasons(),
        }
    }

    /// Whether a line for this reason is written now: with how many were left out since the last one.
    pub(crate) fn admit(&self, reason: Reason, now: MonoTime) -> Option<u64> {
        self.reasons.get(reason as usize).map_or(Some(0), |lines| lines.admit(now.0 / SECOND))
    }

    /// The same for a request whose route cannot be told.
    pub(crate) fn admit_unclear(&self, now: MonoTime) -> Option<u64> {
        self.unclear.admit(now.0 / SECOND)
    }

    /// The same for a TLS handshake that came to nothing.
    pub(crate) fn admit_handshake(&self, now: MonoTime) -> Option<u64> {
        self.handshakes.admit(now.0 / SECOND)
    }

    /// The same for a connection that could not be accepted.
    pub(crate) fn admit_accept(&self, now: MonoTime) -> Option<u64> {
        self.accepts.admit_up_to(ACCEPTS_A_SECOND, now.0 / SECOND)
    }

    /// The same for answers that somebody had forgotten.
    pub(crate) fn admit_forgotten(&self, now: MonoTime) -> Option<u64> {
        self.forgotten.admit(now.0 / SECOND)
    }

    /// The same for a fallback with this cause.
    pub(crate) fn admit_fallback(&self, cause: FallbackCause, now: MonoTime) -> Option<u64> {
        let lines = match cause {
            FallbackCause::Introspection(failure) => self.by_failure.get(failure as usize),
            FallbackCause::KeySet(reason) => self.by_reason.get(reason as usize),
        };
        lines.map_or(Some(0), |lines| lines.admit(now.0 / SECOND))
    }
}

impl Lines {
    fn admit(&self, second: u64) -> Option<u64> {
        self.admit_up_to(LINES_A_SECOND, second)
    }

    /// Two threads at the turn of a second may write a line more between them; none is lost from the count.
    fn admit_up_to(&self, limit: u32, second: u64) -> Option<u64> {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.written.store(0, Ordering::Relaxed);
        }
        if self.written.fetch_add(1, Ordering::Relaxed) < limit {
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
    fn a_flood_is_cut_and_counted_for_each_reason_apart() {
        let log = RefusalLog::new();
        let at = |seconds: u64| MonoTime(seconds * SECOND + 1);
        let written = |reason, now| (0..1000).filter(|_| log.admit(reason, now).is_some()).count();
        assert_eq!(written(Reason::UnknownKid, at(7)), 20);
        assert_eq!(written(Reason::UnknownKid, at(7)), 0);
        assert_eq!(written(Reason::Expired, at(7)), 20);
        assert_eq!(log.admit(Reason::UnknownKid, at(8)), Some(1980));
        assert_eq!(log.admit(Reason::UnknownKid, at(8)), Some(0));
        assert_eq!(log.admit(Reason::Expired, at(30)), Some(980));
        assert_eq!((0..1000).filter(|_| log.admit_handshake(at(30)).is_some()).count(), 20);
        assert_eq!((0..1000).filter(|_| log.admit_forgotten(at(30)).is_some()).count(), 20);
        assert_eq!((0..1000).filter(|_| log.admit_accept(at(30)).is_some()).count(), 1);
        assert_eq!(log.admit_accept(at(31)), Some(999));
    }

    #[test]
    fn fallbacks_are_cut_for_each_cause_apart() {
        let log = RefusalLog::new();
        let now = MonoTime(7 * SECOND);
        let written = |cause| (0..1000).filter(|_| log.admit_fallback(cause, now).is_some()).count();
        assert_eq!(written(FallbackCause::Introspection(Failure::TimedOut)), 20);
        assert_eq!(written(FallbackCause::Introspection(Failure::TimedOut)), 0);
        assert_eq!(written(FallbackCause::Introspection(Failure::Transport)), 20);
        assert_eq!(written(FallbackCause::KeySet(Reason::KeysUnavailable)), 20);
        assert_eq!(log.admit(Reason::KeysUnavailable, now), Some(0));
    }

    #[test]
    fn every_reason_has_a_place_of_its_own() {
        for (place, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, place);
        }
        for (place, failure) in Failure::ALL.iter().enumerate() {
            assert_eq!(*failure as usize, place);
        }
    }
}
