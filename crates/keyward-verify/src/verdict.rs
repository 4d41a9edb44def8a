//! What became of a token.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use keyward_jose::Algorithm;

use crate::key_set::LiveKey;
use crate::{Claims, IssuerPolicy, Now, Reason, UnixTime};

/// The answer to "may this token pass?".
#[derive(Clone, Debug)]
#[must_use]
pub enum Verdict {
    /// It may: its signature and all its claims were checked.
    Accept(Verified),
    /// It may not, and that is the token's own doing.
    Reject(Reason),
    /// Nobody can tell now. It may well be good.
    Undecided(Reason),
}

impl Verdict {
    /// The reason, where the token was not accepted.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Accept(_) => None,
            Self::Reject(reason) | Self::Undecided(reason) => Some(*reason),
        }
    }

    /// `accept`, `reject` or `undecided`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Accept(_) => "accept",
            Self::Reject(_) => "reject",
            Self::Undecided(_) => "undecided",
        }
    }
}

impl From<Reason> for Verdict {
    /// Rejected or undecided, as the reason's kind says.
    fn from(reason: Reason) -> Self {
        if reason.is_undecided() { Self::Undecided(reason) } else { Self::Reject(reason) }
    }
}

/// A token that was verified: signature, issuer, times, audience, and what was demanded of it.
///
/// Only [`decide`](crate::decide) makes one. Cloning it copies a pointer.
#[derive(Clone)]
pub struct Verified(Arc<Accepted>);

/// Everything that a verdict rests on, so that a remembered one can be held against it again.
pub(crate) struct Accepted {
    pub(crate) algorithm: Algorithm,
    pub(crate) claims: Claims,
    pub(crate) issuer: Arc<IssuerPolicy>,
    pub(crate) key: Arc<LiveKey>,
    pub(crate) valid: Range<UnixTime>,
}

impl Verified {
    pub(crate) fn new(accepted: Accepted) -> Self {
        Self(Arc::new(accepted))
    }

    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.0.claims.subject()
    }

    /// Our name for the issuer.
    pub fn issuer_name(&self) -> &str {
        &self.0.issuer.name
    }

    /// The `kid` of the key that verified it, where that key has one.
    pub fn kid(&self) -> Option<&str> {
        self.0.key.key().kid()
    }

    /// The algorithm that it was signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The time from which it is no longer accepted, leeway included.
    pub fn valid_until(&self) -> UnixTime {
        self.0.valid.end
    }

    /// Whether all that the verdict rests on still holds: the times, and the key, which a refresh may have put
    /// beside a denied name of its own.
    pub(crate) fn still_holds(&self, now: Now) -> bool {
        let Accepted { issuer, key, valid, .. } = &*self.0;
        valid.contains(&now.wall) && key.is_usable(now.mono) && !issuer.denies(key)
    }

    /// Roughly how many octets of memory this takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Accepted>() + self.0.claims.weight()
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("issuer", &self.issuer_name())
            .field("kid", &self.kid())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}
