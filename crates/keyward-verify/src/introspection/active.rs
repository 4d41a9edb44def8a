//! What an endpoint says of a token that is active, and the checks that it goes through like any other.

use std::fmt;
use std::sync::Arc;

use super::Question;
use crate::verdict::Accepted;
use crate::{Claims, Now, Reason, Requirement, Verified};

/// A token that its issuer's endpoint says is active, and what the endpoint says of it.
///
/// Only [`Endpoint::read`](super::Endpoint::read) makes one, and it is no verdict: what it says must suffice here,
/// too. Cloning it copies a pointer.
#[derive(Clone)]
pub struct Active(Arc<Statement>);

/// What the endpoint says.
pub(super) struct Statement {
    pub(super) accepted: Arc<Accepted>,
    pub(super) question: Question,
    pub(super) issuer_place: usize,
    pub(super) is_type_accepted: bool,
    pub(super) jti: Option<Box<str>>,
    pub(super) sid: Option<Box<str>>,
}

impl Active {
    pub(super) fn new(statement: Statement) -> Self {
        Self(Arc::new(statement))
    }

    /// What the endpoint says of the token, `active` included.
    pub fn claims(&self) -> &Claims {
        &self.0.accepted.claims
    }

    /// The question that it answers.
    pub fn question(&self) -> &Question {
        &self.0.question
    }

    /// Whether it may pass here: the checks of a JWT's claims, but that `exp` may be absent (RFC 7662 §2.2) and `iss`
    /// as well, since whoever was asked is the issuer.
    ///
    /// # Errors
    /// The reason why it may not, which is the token's own doing.
    pub fn check(&self, now: Now, requirement: &Requirement) -> Result<Verified, Reason> {
        self.check_identity(now, requirement)?;
        let Accepted { claims, issuer, .. } = &*self.0.accepted;
        issuer.check_audience(claims, &requirement.audiences)?;
        requirement.check_granted(claims)?;
        Ok(Verified::shared(&self.0.accepted))
    }

    /// Whether it agrees with what the token's own signed claims were found to say: what the answer names must
    /// suffice here as well, and for what it leaves out the token speaks.
    ///
    /// # Errors
    /// The reason why the token may not pass, which is its own doing.
    pub fn confirm(
        &self,
        now: Now,
        requirement: &Requirement,
        verified: Verified,
    ) -> Result<Verified, Reason> {
        self.check_identity(now, requirement)?;
        let Accepted { claims, issuer, .. } = &*self.0.accepted;
        if verified.accepted().issuer.issuer != issuer.issuer {
            return Err(Reason::WrongIssuer);
        }
        if claims.audiences().next().is_some() {
            issuer.check_audience(claims, &requirement.audiences)?;
        }
        if claims.scopes().next().is_some() {
            requirement.check_scopes(claims)?;
        }
        Ok(verified.confirmed_by(&self.0.accepted))
    }

    /// Whose it is, what it is, and when.
    fn check_identity(&self, now: Now, requirement: &Requirement) -> Result<(), Reason> {
        let Statement { accepted, issuer_place, is_type_accepted, .. } = &*self.0;
        let Accepted { claims, issuer, .. } = &**accepted;
        let is_issuers = claims.issuer().is_none_or(|name| *name == *issuer.issuer);
        if !is_issuers || !requirement.allows_issuer(*issuer_place) {
            return Err(Reason::WrongIssuer);
        }
        if !is_type_accepted {
            return Err(Reason::WrongTokenType);
        }
        issuer.stated_times(claims).check(now).map(drop)
    }

    pub(super) fn jti(&self) -> Option<&str> {
        self.0.jti.as_deref()
    }

    pub(super) fn sid(&self) -> Option<&str> {
        self.0.sid.as_deref()
    }

    /// Roughly how many octets of memory this takes.
    pub(super) fn weight(&self) -> usize {
        let text = |text: Option<&str>| text.map_or(0, str::len);
        size_of::<Statement>() + self.0.accepted.weight() + text(self.jti()) + text(self.sid())
    }
}

impl fmt::Debug for Active {
    /// Says nothing of what the claims are: they are somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Active").field("issuer", &self.0.accepted.issuer.name).finish_non_exhaustive()
    }
}
