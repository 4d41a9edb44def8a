//! The table: what each way's answer comes to, and when the other is asked.

use super::{Fallback, FallbackCause, Strategy};
use crate::introspection::{Active, Failure};
use crate::{Now, Reason, Requirement, Verdict, Verified};

/// How tokens of one issuer are decided in one place: promise 2 as a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tactic {
    /// Which way.
    pub strategy: Strategy,
    /// Whether, and when, the second way may decide what the first one could not.
    pub fallback: Option<Fallback>,
}

/// What the endpoint is asked for.
#[derive(Clone, Debug)]
pub enum Pending {
    /// It is the first to be asked.
    Alone,
    /// The keys accept the token.
    Confirm(Verified),
    /// The keys could not tell, for this reason.
    InsteadOfKeys(Reason),
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Turn {
    /// The endpoint.
    Ask(Pending),
    /// Nothing.
    Decided(Verdict),
    /// The keys, since the endpoint failed.
    UseKeys(Failure),
}

impl Tactic {
    /// How opaque tokens are decided: there is nothing to fall back to.
    pub const OPAQUE: Self = Self { strategy: Strategy::Introspection, fallback: None };

    /// After the keys had their say; `failure` is the endpoint's, where it was asked before them.
    pub fn after_keys(self, now: Now, verdict: Verdict, failure: Option<Failure>) -> Turn {
        let verdict = match (verdict, failure, self.strategy) {
            // What the keys refuse is refused, whoever was asked first.
            (Verdict::Reject(reason), ..) => Verdict::Reject(reason),
            (Verdict::Accept(verified), Some(failure), _) => {
                self.fall_back(now, verified, FallbackCause::Introspection(failure), failure.reason())
            }
            // The keys were the last resort: what failed first is what there is to mend.
            (Verdict::Undecided(_), Some(failure), _) => failure.reason().into(),
            (Verdict::Accept(verified), None, Strategy::Both) => {
                return Turn::Ask(Pending::Confirm(verified));
            }
            (Verdict::Undecided(reason), None, Strategy::KeySetThenIntrospection)
                if self.fallback.is_some() =>
            {
                return Turn::Ask(Pending::InsteadOfKeys(reason));
            }
            (verdict, None, _) => verdict,
        };
        Turn::Decided(verdict)
    }

    /// After the endpoint said that the token is active, or not, or failed.
    pub fn after_endpoint(
        self,
        now: Now,
        requirement: &Requirement,
        pending: Pending,
        answer: Result<Option<&Active>, Failure>,
    ) -> Turn {
        let verdict = match (answer, pending) {
            (Ok(None), _) => Reason::Inactive.into(),
            (Ok(Some(active)), Pending::Alone) => {
                active.check(now, requirement).map_or_else(Verdict::from, Verdict::Accept)
            }
            (Ok(Some(active)), Pending::Confirm(verified)) => {
                active.confirm(now, requirement, verified).map_or_else(Verdict::from, Verdict::Accept)
            }
            (Ok(Some(active)), Pending::InsteadOfKeys(reason)) => match active.check(now, requirement) {
                Ok(verified) => self.fall_back(now, verified, FallbackCause::KeySet(reason), reason),
                Err(reason) => reason.into(),
            },
            (Err(failure), Pending::Alone) => {
                if self.strategy == Strategy::IntrospectionThenKeySet && self.fallback.is_some() {
                    return Turn::UseKeys(failure);
                }
                failure.reason().into()
            }
            (Err(failure), Pending::Confirm(verified)) => {
                self.fall_back(now, verified, FallbackCause::Introspection(failure), failure.reason())
            }
            (Err(_), Pending::InsteadOfKeys(reason)) => reason.into(),
        };
        Turn::Decided(verdict)
    }

    /// What the second way accepts, marked as such, where that is allowed for this token.
    fn fall_back(self, now: Now, verified: Verified, cause: FallbackCause, otherwise: Reason) -> Verdict {
        let is_young = |limit| {
            let issued = verified.claims().issued_at();
            issued.is_some_and(|issued| now.wall < issued.saturating_add(limit))
        };
        match self.fallback {
            Some(Fallback { younger_than }) if younger_than.is_none_or(is_young) => {
                Verdict::Accept(verified.by_fallback(cause))
            }
            _ => otherwise.into(),
        }
    }
}
