//! The last verdicts, each in a few words. Nothing of a token is in them but the `kid` of a key that is published.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyward::{FallbackCause, MonoTime, Reason, Verified, VerifiedBy};

/// One verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) at: MonoTime,
    /// From the request's arrival, in nanoseconds.
    pub(crate) took: u64,
    /// None where it was accepted.
    pub(crate) reason: Option<Reason>,
    /// By what it was accepted.
    pub(crate) source: Option<Source>,
    /// Why the first way could not tell, where it was the second.
    pub(crate) cause: Option<FallbackCause>,
    /// The route's number in the configuration, from 1; 0 where none matched.
    pub(crate) route: u32,
    /// Our name for the issuer, where it is known.
    pub(crate) issuer: Short<30>,
    /// The id of a published key.
    pub(crate) kid: Short<54>,
}

/// By what a token was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Fallback,
    Introspection,
    Keys,
    /// Its keys, a moment ago.
    Remembered,
}

/// A text within a fixed number of octets, so that keeping it allocates nothing. A longer one is cut.
#[derive(Clone, Copy)]
pub(crate) struct Short<const OCTETS: usize> {
    octets: [u8; OCTETS],
    kept: u8,
    is_cut: bool,
}

/// A ring of summaries. Whoever writes waits for nobody: where somebody else is at the same place, the summary is
/// missed, and that is counted.
#[derive(Debug)]
pub(super) struct Summaries {
    places: Box<[Mutex<Option<Summary>>]>,
    next: AtomicUsize,
    missed: AtomicU64,
}

impl Summary {
    /// One of which nothing is known but this.
    pub(crate) fn new(at: MonoTime, took: Duration, reason: Option<Reason>) -> Self {
        Self {
            at,
            took: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            reason,
            source: None,
            cause: None,
            route: 0,
            issuer: Short::default(),
            kid: Short::default(),
        }
    }
}

impl Summaries {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            places: (0..capacity).map(|_| Mutex::new(None)).collect(),
            next: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn push(&self, summary: Summary) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let place = next.checked_rem(self.places.len()).and_then(|place| self.places.get(place));
        match place.map(Mutex::try_lock) {
            Some(Ok(mut place)) => *place = Some(summary),
            Some(Err(_)) => self.miss(),
            // A recorder without summaries.
            None => {}
        }
    }

    /// Counts what could not be recorded.
    #[cold]
    pub(super) fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// The last `count` of them, the last one first.
    pub(super) fn last(&self, count: usize) -> Vec<Summary> {
        let kept = |place: &Mutex<Option<Summary>>| *place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut summaries: Vec<_> = self.places.iter().filter_map(kept).collect();
        summaries.sort_by_key(|summary| Reverse(summary.at));
        summaries.truncate(count);
        summaries
    }
}

impl Source {
    pub(crate) fn of(verified: &Verified) -> Self {
        match verified.verified_by() {
            _ if verified.fallback().is_some() => Self::Fallback,
            VerifiedBy::Introspection => Self::Introspection,
            VerifiedBy::KeySet { .. } if verified.is_remembered() => Self::Remembered,
            VerifiedBy::KeySet { .. } => Self::Keys,
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Introspection => "introspection",
            Self::Keys => "keys",
            Self::Remembered => "remembered",
        }
    }
}

impl<const OCTETS: usize> Short<OCTETS> {
    #[inline]
    pub(crate) fn of(text: &str) -> Self {
        let mut octets = [0; OCTETS];
        let is_cut = text.len() > OCTETS;
        let mut kept = text.len().min(OCTETS);
        while !text.is_char_boundary(kept) {
            kept -= 1;
        }
        for (octet, of_text) in octets.iter_mut().zip(text.as_bytes().iter().take(kept)) {
            *octet = *of_text;
        }
        Self { octets, kept: u8::try_from(kept).unwrap_or(0), is_cut }
    }

    /// The text; none where it is empty. One that was cut ends with an ellipsis.
    pub(super) fn text(&self) -> Option<String> {
        let octets = self.octets.get(..usize::from(self.kept)).unwrap_or_default();
        let text = std::str::from_utf8(octets).unwrap_or_default();
        let end = if self.is_cut { "…" } else { "" };
        (!text.is_empty() || self.is_cut).then(|| format!("{text}{end}"))
    }
}

impl<const OCTETS: usize> Default for Short<OCTETS> {
    fn default() -> Self {
        Self { octets: [0; OCTETS], kept: 0, is_cut: false }
    }
}

impl<const OCTETS: usize> std::fmt::Debug for Short<OCTETS> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Summary {
        Summary::new(MonoTime(nanos), Duration::ZERO, None)
    }

    #[test]
    fn the_last_ones_are_kept_the_last_first() {
        let summaries = Summaries::new(3);
        assert!(summaries.last(9).is_empty());
        (1..=5).for_each(|nanos| summaries.push(at(nanos)));
        let times = |count| summaries.last(count).iter().map(|summary| summary.at.0).collect::<Vec<_>>();
        assert_eq!((times(9), times(2), times(0)), (vec![5, 4, 3], vec![5, 4], vec![]));
        assert_eq!(summaries.missed(), 0);
    }

    #[test]
    fn a_place_that_somebody_looks_at_is_missed_and_not_waited_for() {
        let summaries = Summaries::new(2);
        let looking = summaries.places[0].lock().unwrap();
        (1..=4).for_each(|nanos| summaries.push(at(nanos)));
        drop(looking);
        assert_eq!(summaries.missed(), 2);
        assert_eq!(summaries.last(9).len(), 1);
    }

    #[test]
    fn none_are_kept_where_there_is_no_room() {
        let summaries = Summaries::new(0);
        summaries.push(at(1));
        assert_eq!((summaries.last(9).len(), summaries.missed()), (0, 0));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(Short::<4>::of("").text(), None);
        assert_eq!(Short::<4>::of("abcd").text().as_deref(), Some("abcd"));
        assert_eq!(Short::<4>::of("abcde").text().as_deref(), Some("abcd…"));
        assert_eq!(Short::<4>::of("abcé").text().as_deref(), Some("abc…"));
        assert_eq!(Short::<1>::of("é").text().as_deref(), Some("…"));
    }
}
