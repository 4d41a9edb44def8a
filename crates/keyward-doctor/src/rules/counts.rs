//! What the gateway counted, and how much of it is enough to mean something.

use crate::facts::{Facts, RecorderFacts};

/// Less than so many say nothing: a person who mistypes, a scanner that passes by.
const FEWEST: u64 = 5;

/// Less than this share of all requests is what the open internet sends on a quiet day.
const LEAST_SHARE: f64 = 0.01;

/// The verdicts of the last seconds.
#[derive(Clone, Copy)]
pub(super) struct Counts<'a> {
    recorder: &'a RecorderFacts,
}

impl<'a> Counts<'a> {
    /// None where no gateway was asked, or it did not tell.
    pub(super) fn of(facts: &'a Facts) -> Option<Self> {
        let recorder = facts.gateway.as_ref()?.recorder.as_ref()?;
        Some(Self { recorder })
    }

    /// All verdicts.
    pub(super) fn total(self) -> u64 {
        self.sum(|_, _| true)
    }

    /// Accepted tokens.
    pub(super) fn accepted(self) -> u64 {
        self.sum(|verdict, _| verdict == "accept")
    }

    /// Requests that could not be decided.
    pub(super) fn undecided(self) -> u64 {
        self.sum(|verdict, _| verdict == "undecided")
    }

    /// Verdicts for one reason, by its label.
    pub(super) fn reason(self, label: &str) -> u64 {
        self.sum(|_, reason| reason == Some(label))
    }

    /// How many seconds they are of.
    pub(super) fn over_s(self) -> u64 {
        self.recorder.since_seconds
    }

    /// Whether so many of them mean something: enough of them, and enough of all.
    pub(super) fn enough(self, count: u64) -> bool {
        count >= FEWEST && self.share(count) >= LEAST_SHARE
    }

    /// `count` of all, from 0 to 1.
    pub(super) fn share(self, count: u64) -> f64 {
        let total = self.total();
        if total == 0 { 0.0 } else { count as f64 / total as f64 }
    }

    /// `N of M requests (P %) in the last S s`, for evidence.
    pub(super) fn in_words(self, count: u64) -> String {
        let percent = self.share(count) * 100.0;
        format!("{count} of {} requests ({percent:.1} %) in the last {} s", self.total(), self.over_s())
    }

    fn sum(self, counts: impl Fn(&str, Option<&str>) -> bool) -> u64 {
        let verdicts = self.recorder.verdicts.iter();
        verdicts
            .filter(|row| counts(&row.verdict, row.reason.as_deref()))
            .fold(0, |sum, row| sum.saturating_add(row.count))
    }
}
