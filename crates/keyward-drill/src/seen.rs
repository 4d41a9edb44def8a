//! What was seen of one request.

use std::time::Duration;

use http::StatusCode;
use keyward::{Reason, ReasonKind};

/// What a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It may pass.
    Accept,
    /// It may pass by the way that is only taken where the other cannot tell.
    Fallback,
    /// It may not.
    Reject(Option<Reason>),
    /// Nobody can tell.
    Undecided(Option<Reason>),
    /// No HTTP answer came.
    Unanswered,
}

impl Outcome {
    /// What a forward-auth answer says: by its status, and by the reason where it names one that we know.
    /// `fallback` is the cause of one, where there was one.
    pub fn of_answer(status: StatusCode, reason: Option<&str>, fallback: Option<&str>) -> Self {
        let reason = reason.and_then(|label| Reason::ALL.iter().copied().find(|r| r.label() == label));
        if status.is_success() {
            if fallback.is_some_and(|cause| !cause.is_empty()) { Self::Fallback } else { Self::Accept }
        } else if status.is_server_error() {
            Self::Undecided(reason)
        } else {
            Self::Reject(reason)
        }
    }

    /// Whether `label` is what it is called: its kind, or its reason.
    pub fn is_called(self, label: &str) -> bool {
        self.kind() == label
            || (label == "fallback" && self == Self::Fallback)
            || self.reason().is_some_and(|reason| reason.label() == label)
    }

    /// `accept`, `reject`, `undecided` or `unanswered`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Accept | Self::Fallback => "accept",
            Self::Reject(_) => "reject",
            Self::Undecided(_) => "undecided",
            Self::Unanswered => "unanswered",
        }
    }

    /// The reason, where one was given.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Reject(reason) | Self::Undecided(reason) => reason,
            Self::Accept | Self::Fallback | Self::Unanswered => None,
        }
    }

    /// What it is called in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            _ => self.reason().map_or(self.kind(), Reason::label),
        }
    }
}

impl From<Reason> for Outcome {
    fn from(reason: Reason) -> Self {
        match reason.kind() {
            ReasonKind::Undecided => Self::Undecided(Some(reason)),
            ReasonKind::BadRequest | ReasonKind::Forbidden | ReasonKind::Unauthenticated => {
                Self::Reject(Some(reason))
            }
        }
    }
}

/// What was seen of one request.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}
