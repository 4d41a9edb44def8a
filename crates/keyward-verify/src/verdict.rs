//! What became of a token.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use keyward_jose::Algorithm;

use crate::binding::Confirmation;
use crate::key_set::LiveKey;
use crate::strategy::FallbackCause;
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

/// A token that was verified: that it is its issuer's, issuer, times, audience, and what was demanded of it.
///
/// That is the token's side. Where it [is bound](Self::is_bound) to a certificate or a key, it passes with no request but
/// one that proves it: [`BindingCheck`](crate::binding::BindingCheck) says which.
///
/// Only [`decide`](crate::decide) makes one, by a signature, and
/// [`Active::check`](crate::introspection::Active::check), by an active answer about this very token. Cloning it
/// copies a pointer.
#[derive(Clone)]
pub struct Verified {
    accepted: Arc<Accepted>,
    /// What its endpoint says, where the keys came first and it says what the token is bound to.
    confirmed: Option<Arc<Accepted>>,
    way: Way,
}

/// How a verdict came about. One field for both, and as small as one: a verdict is moved often.
#[derive(Clone, Copy)]
enum Way {
    Fallback(FallbackCause),
    First,
    Remembered,
}

/// How a [`Verified`] token is known to be its issuer's.
#[derive(Clone, Copy, Debug)]
pub enum VerifiedBy<'a> {
    /// The issuer's introspection endpoint said that it is active (RFC 7662 §2.2).
    Introspection,
    /// A key of the issuer's set signed it.
    KeySet {
        /// With this algorithm.
        algorithm: Algorithm,
        /// This one.
        key: &'a LiveKey,
    },
}

/// Everything that a verdict rests on, so that a remembered one can be held against it again.
pub(crate) struct Accepted {
    pub(crate) claims: Claims,
    pub(crate) issuer: Arc<IssuerPolicy>,
    pub(crate) proof: Proof,
    pub(crate) valid: Range<UnixTime>,
}

/// What shows that a token is its issuer's.
pub(crate) enum Proof {
    /// `claimed` is what the token itself says that it is bound to, where it says anything that can be read.
    Introspection {
        claimed: Option<Box<Confirmation>>,
    },
    Signature {
        algorithm: Algorithm,
        key: Arc<LiveKey>,
    },
}

impl Verified {
    pub(crate) fn new(accepted: Accepted) -> Self {
        Self { accepted: Arc::new(accepted), confirmed: None, way: Way::First }
    }

    pub(crate) fn shared(accepted: &Arc<Accepted>) -> Self {
        Self { accepted: Arc::clone(accepted), confirmed: None, way: Way::First }
    }

    pub(crate) fn accepted(&self) -> &Accepted {
        &self.accepted
    }

    /// The same, where its endpoint confirms it: what that says it is bound to must hold as well.
    pub(crate) fn confirmed_by(self, answer: &Arc<Accepted>) -> Self {
        Self { confirmed: answer.is_bound().then(|| Arc::clone(answer)), ..self }
    }

    pub(crate) fn by_fallback(self, cause: FallbackCause) -> Self {
        Self { way: Way::Fallback(cause), ..self }
    }

    pub(crate) fn remembered(self) -> Self {
        Self { way: Way::Remembered, ..self }
    }

    /// Whether its signature was verified earlier, and that verdict [still holds](crate::VerdictCache::get). Of a
    /// [fallback](Self::fallback) that is not told.
    pub fn is_remembered(&self) -> bool {
        matches!(self.way, Way::Remembered)
    }

    /// Why the way that its issuer's strategy prefers could not tell, where this was accepted by the other.
    pub fn fallback(&self) -> Option<FallbackCause> {
        match self.way {
            Way::Fallback(cause) => Some(cause),
            Way::First | Way::Remembered => None,
        }
    }

    /// How it is known to be its issuer's.
    pub fn verified_by(&self) -> VerifiedBy<'_> {
        match &self.accepted.proof {
            Proof::Introspection { .. } => VerifiedBy::Introspection,
            Proof::Signature { algorithm, key } => VerifiedBy::KeySet { algorithm: *algorithm, key },
        }
    }

    /// The claims.
    pub fn claims(&self) -> &Claims {
        &self.accepted.claims
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.accepted.claims.subject()
    }

    /// Our name for the issuer.
    pub fn issuer_name(&self) -> &str {
        &self.accepted.issuer.name
    }

    /// The `kid` of the key that verified it, where a key did and has one.
    pub fn kid(&self) -> Option<&str> {
        match &self.accepted.proof {
            Proof::Introspection { .. } => None,
            Proof::Signature { key, .. } => key.key().kid(),
        }
    }

    /// The algorithm that it was signed with, where that is what was verified.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match &self.accepted.proof {
            Proof::Introspection { .. } => None,
            Proof::Signature { algorithm, .. } => Some(*algorithm),
        }
    }

    /// Whether it is bound to a certificate or a key, by its own claims or by what its endpoint says.
    #[inline]
    pub fn is_bound(&self) -> bool {
        self.accepted.is_bound() || self.confirmed.is_some()
    }

    /// What it is bound to: each of these must be proved.
    pub fn confirmations(&self) -> impl Iterator<Item = &Confirmation> {
        self.accepted.confirmations().chain(self.confirmed.iter().flat_map(|answer| answer.confirmations()))
    }

    /// The time from which it is no longer accepted, leeway included; the end of all time where an introspected
    /// one has no `exp`.
    pub fn valid_until(&self) -> UnixTime {
        self.accepted.valid.end
    }

    /// Whether all that the verdict rests on still holds: the times, and the key, which a refresh may have put
    /// beside a denied name of its own, and the certificate around it where that counts. An endpoint's word holds for
    /// nobody but who asks the memory of answers, which a revocation empties.
    pub(crate) fn still_holds(&self, now: Now) -> bool {
        let Accepted { issuer, proof, valid, .. } = &*self.accepted;
        let Proof::Signature { key, .. } = proof else {
            return false;
        };
        valid.contains(&now.wall)
            && key.is_usable(now.mono)
            && !issuer.denies(key)
            && issuer.allows_wrapper(key, now.wall)
    }

    /// Counts this verdict with those of the key that it rests on, where a key was used. Whoever answers by it calls
    /// this once.
    pub fn count(&self, now: Now) {
        if let Proof::Signature { key, .. } = &self.accepted.proof {
            // Tokens lie far apart, and threads mostly have different ones.
            key.count(now.wall, Arc::as_ptr(&self.accepted).addr() >> 9);
        }
    }

    /// Whether [`still_holds`](Self::still_holds) can ever say so.
    pub(crate) fn can_be_remembered(&self) -> bool {
        matches!(self.accepted.proof, Proof::Signature { .. })
    }

    /// Roughly how many octets of memory this takes.
    pub(crate) fn weight(&self) -> usize {
        self.accepted.weight()
    }
}

impl Accepted {
    #[inline]
    fn is_bound(&self) -> bool {
        self.confirmations().next().is_some()
    }

    fn confirmations(&self) -> impl Iterator<Item = &Confirmation> {
        let claimed = match &self.proof {
            Proof::Introspection { claimed } => claimed.as_deref(),
            Proof::Signature { .. } => None,
        };
        self.claims.confirmation().into_iter().chain(claimed)
    }

    /// Roughly how many octets of memory this takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.claims.weight()
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
