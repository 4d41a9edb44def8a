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
    /// From the request's arrival on.
    pub(crate) took: Duration,
    /// None where it was accepted.
    pub(crate) reason: Option<Reason>,
    /// By what it was accepted.
    pub(crate) source: Option<Source>,
    /// Why the first way could not tell, where it was the second.
    pub(crate) cause: Option<FallbackCause>,
    /// The route's number in the configuration, from 1; none where no route matched.
    pub(crate) route: Option<usize>,
    /// Our name for the issuer, where it is known.
    pub(crate) issuer: Short<30>,
    /// The id of a published key.
    pub(crate) kid: Short<54>,
}

/// What a summary is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) at: MonoTime,
    pub(crate) took: Duration,
    pub(crate) route: Option<usize>,
    pub(crate) outcome: Outcome<'a>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome<'a> {
    Accepted(&'a Verified),
    /// The key's id only where it is published.
    Refused(Reason, Option<&'a str>),
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
    places: Box<[Mutex<Summary>]>,
    next: AtomicUsize,
    missed: AtomicU64,
}

impl Summary {
    const EMPTY: Self = Self {
        at: MonoTime(0),
        took: Duration::ZERO,
        reason: None,
        source: None,
        cause: None,
        route: None,
        issuer: Short::EMPTY,
        kid: Short::EMPTY,
    };

    /// Takes the place of the one that was here. It is written where it stays: a copy on the way would cost as much again.
    #[inline]
    fn replace(&mut self, judged: &Judged<'_>) {
        (self.at, self.took, self.route) = (judged.at, judged.took, judged.route);
        match judged.outcome {
            Outcome::Accepted(verified) => {
                self.reason = None;
                self.cause = verified.fallback();
                self.source = Some(Source::of(verified));
                self.issuer.write(verified.issuer_name());
                self.kid.write(verified.kid().unwrap_or_default());
            }
            Outcome::Refused(reason, kid) => {
                (self.reason, self.cause, self.source) = (Some(reason), None, None);
                self.issuer.write("");
                self.kid.write(kid.unwrap_or_default());
            }
        }
    }
}

impl Summaries {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            places: (0..capacity).map(|_| Mutex::new(Summary::EMPTY)).collect(),
            next: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn push(&self, judged: &Judged<'_>) {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let place = next.checked_rem(self.places.len()).and_then(|place| self.places.get(place));
        match place.map(Mutex::try_lock) {
            Some(Ok(mut place)) => place.replace(judged),
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
        let read = |place: &Mutex<Summary>| *place.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing was decided at the clock's origin.
        let is_kept = |summary: &Summary| summary.at != Summary::EMPTY.at;
        let mut summaries: Vec<_> = self.places.iter().map(read).filter(is_kept).collect();
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

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Introspection => "introspection",
            Self::Keys => "keys",
            Self::Remembered => "remembered",
        }
    }
}

impl<const OCTETS: usize> Short<OCTETS> {
    const EMPTY: Self = Self { octets: [0; OCTETS], kept: 0, is_cut: false };

    #[inline]
    fn write(&mut self, text: &str) {
        let (text, is_cut) = if text.len() > OCTETS { (cut(text, OCTETS), true) } else { (text, false) };
        (self.kept, self.is_cut) = (0, is_cut);
        if let (Some(octets), Ok(kept)) = (self.octets.get_mut(..text.len()), u8::try_from(text.len())) {
            octets.copy_from_slice(text.as_bytes());
            self.kept = kept;
        }
    }

    /// The text; none where it is empty. One that was cut ends with an ellipsis.
    pub(super) fn text(&self) -> Option<String> {
        let octets = self.octets.get(..usize::from(self.kept)).unwrap_or_default();
        let text = std::str::from_utf8(octets).unwrap_or_default();
        let end = if self.is_cut { "…" } else { "" };
        (!text.is_empty() || self.is_cut).then(|| format!("{text}{end}"))
    }
}

/// As much of a text as there is room for.
#[cold]
fn cut(text: &str, octets: usize) -> &str {
    text.get(..text.floor_char_boundary(octets)).unwrap_or_default()
}

impl<const OCTETS: usize> std::fmt::Debug for Short<OCTETS> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Judged<'static> {
        let outcome = Outcome::Refused(Reason::Expired, Some("kid"));
        Judged { at: MonoTime(nanos), took: Duration::ZERO, route: None, outcome }
    }

    #[test]
    fn the_last_ones_are_kept_the_last_first() {
        let summaries = Summaries::new(3);
        assert!(summaries.last(9).is_empty());
        (1..=5).for_each(|nanos| summaries.push(&at(nanos)));
        let times = |count| summaries.last(count).iter().map(|summary| summary.at.0).collect::<Vec<_>>();
        assert_eq!((times(9), times(2), times(0)), (vec![5, 4, 3], vec![5, 4], vec![]));
        assert_eq!(summaries.missed(), 0);
    }

    #[test]
    fn a_place_that_somebody_looks_at_is_missed_and_not_waited_for() {
        let summaries = Summaries::new(2);
        let looking = summaries.places[0].lock().unwrap();
        (1..=4).for_each(|nanos| summaries.push(&at(nanos)));
        drop(looking);
        assert_eq!(summaries.missed(), 2);
        assert_eq!(summaries.last(9).iter().map(|summary| summary.at.0).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn none_are_kept_where_there_is_no_room() {
        let summaries = Summaries::new(0);
        summaries.push(&at(1));
        assert_eq!((summaries.last(9).len(), summaries.missed()), (0, 0));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        fn kept<const OCTETS: usize>(text: &str) -> Option<String> {
            let mut short = Short::<OCTETS>::EMPTY;
            short.write("before");
            short.write(text);
            short.text()
        }
        assert_eq!(kept::<4>(""), None);
        assert_eq!(kept::<4>("abcd").as_deref(), Some("abcd"));
        assert_eq!(kept::<4>("abcde").as_deref(), Some("abcd…"));
        assert_eq!(kept::<4>("abcé").as_deref(), Some("abc…"));
        assert_eq!(kept::<1>("é").as_deref(), Some("…"));
    }
}
