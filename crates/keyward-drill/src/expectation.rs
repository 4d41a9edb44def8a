//! Which verdicts are right in a phase.

use std::collections::BTreeMap;
use std::fmt;

use keyward::{Reason, ReasonKind};
use serde::{Deserialize, Deserializer};

use crate::seen::Outcome;
use crate::tally::Tally;

/// The shares of a stream's verdicts that are right, by label: `accept`, `fallback` (which is accepted, too),
/// `reject`, `undecided`, `unanswered` or a reason. What is not named is not judged; `accept = 1.0` leaves nothing for the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation(BTreeMap<String, Share>);

/// From which share to which, between 0 and 1.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Share {
    /// Precisely this.
    Exactly(f64),
    /// Anything between the two, ends included.
    Between(f64, f64),
}

/// How much of a verdict somebody else's gateway can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Kind and reason.
    Reason,
    /// The kind alone, by status.
    Status,
}

impl Share {
    pub(crate) fn holds(self, share: f64) -> bool {
        match self {
            Self::Exactly(wanted) => (share - wanted).abs() < 1e-9,
            Self::Between(least, most) => (least..=most).contains(&share),
        }
    }

    fn is_sound(self) -> bool {
        match self {
            Self::Exactly(share) => (0.0..=1.0).contains(&share),
            Self::Between(least, most) => 0.0 <= least && least <= most && most <= 1.0,
        }
    }

    /// Both together, for two reasons that look alike from outside.
    fn plus(self, other: Self) -> Self {
        let ends = |share| match share {
            Self::Exactly(share) => (share, share),
            Self::Between(least, most) => (least, most),
        };
        let ((a, b), (c, d)) = (ends(self), ends(other));
        Self::Between((a + c).min(1.0), (b + d).min(1.0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(share) => write!(f, "{}", Percent(*share)),
            Self::Between(least, most) => write!(f, "{} to {}", Percent(*least), Percent(*most)),
        }
    }
}

/// A share in per cent, with as many places as it needs to not look like none or all where it is not.
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        if (percent - percent.round()).abs() < 1e-9 {
            write!(f, "{percent:.0} %")
        } else if !(0.1..=99.9).contains(&percent) {
            write!(f, "{percent:.3} %")
        } else {
            write!(f, "{percent:.1} %")
        }
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let shares = BTreeMap::<String, Share>::deserialize(deserializer)?;
        for (label, share) in &shares {
            if kind_of(label).is_none() {
                return Err(serde::de::Error::custom(format!(
                    "{label:?} is neither accept, fallback, reject, undecided or unanswered nor a reason"
                )));
            }
            if !share.is_sound() {
                return Err(serde::de::Error::custom(format!(
                    "the share of {label:?} is no number from 0 to 1, and no two of them in order"
                )));
            }
        }
        Ok(Self(shares))
    }
}

/// The kind that a label stands for, or is.
fn kind_of(label: &str) -> Option<&'static str> {
    let plain = ["accept", "reject", "undecided", "unanswered"].into_iter().find(|kind| *kind == label);
    plain.or_else(|| (label == "fallback").then_some("accept")).or_else(|| {
        let reason = Reason::ALL.iter().find(|reason| reason.label() == label)?;
        Some(if reason.kind() == ReasonKind::Undecided { "undecided" } else { "reject" })
    })
}

impl Expectation {
    /// What of it does not hold, in words.
    pub(crate) fn failures(&self, tally: &Tally, detail: Detail) -> Vec<String> {
        let total = tally.judged();
        if total == 0 {
            return vec!["no request was judged".to_owned()];
        }
        let share = |label: &str| {
            let count = tally.count(|outcome: Outcome| outcome.is_called(label));
            count as f64 / total as f64
        };
        self.told_by(detail)
            .into_iter()
            .filter(|(label, wanted)| !wanted.holds(share(label)))
            .map(|(label, wanted)| format!("{label} {} of {total}, expected {wanted}", Percent(share(label))))
            .collect()
    }

    /// The expectation in labels that can be told.
    fn told_by(&self, detail: Detail) -> BTreeMap<&str, Share> {
        let mut told: BTreeMap<&str, Share> = BTreeMap::new();
        for (label, share) in &self.0 {
            let label = match detail {
                Detail::Reason => label.as_str(),
                Detail::Status => kind_of(label).unwrap_or(label),
            };
            told.entry(label).and_modify(|sum| *sum = sum.plus(*share)).or_insert(*share);
        }
        told
    }
}
