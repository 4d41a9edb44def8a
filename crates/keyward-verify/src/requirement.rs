//! What a route, or any other caller, demands of a token beyond being good.

use serde_json::Value;

use crate::binding::Demanded;
use crate::{Claims, Reason};

/// What must hold for a token to pass here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirement {
    /// The places of the issuers that may have issued it, in the verifier's list; empty for all of them.
    pub issuers: Vec<usize>,
    /// The audiences of which `aud` must name one; empty for the issuer's own.
    pub audiences: Vec<Box<str>>,
    /// The scopes of which each must be granted.
    pub scopes: Vec<Box<str>>,
    /// What the claims must say.
    pub claims: Vec<ClaimRule>,
    /// What every token must be bound to, and its request prove: see [`BindingCheck`](crate::binding::BindingCheck).
    /// None for what the token itself says, which is mandatory either way.
    pub binding: Option<Demanded>,
}

/// What one claim must say.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRule {
    /// Where it stands: a JSON Pointer such as `/realm_access/roles` (RFC 6901).
    pub pointer: Box<str>,
    /// What must hold of it.
    pub test: ClaimTest,
}

/// What must hold of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum ClaimTest {
    /// It is an array that holds one of these values, or it is one of them.
    Contains(Vec<Value>),
    /// It is there and not null.
    Present,
}

impl Requirement {
    pub(crate) fn allows_issuer(&self, index: usize) -> bool {
        self.issuers.is_empty() || self.issuers.contains(&index)
    }

    /// The demands on a token whose signature holds: scopes, then claims.
    pub(crate) fn check_granted(&self, claims: &Claims) -> Result<(), Reason> {
        self.check_scopes(claims)?;
        if !self.claims.iter().all(|rule| rule.holds(claims)) {
            return Err(Reason::MissingClaim);
        }
        Ok(())
    }

    pub(crate) fn check_scopes(&self, claims: &Claims) -> Result<(), Reason> {
        if self.scopes.iter().all(|scope| claims.has_scope(scope)) {
            Ok(())
        } else {
            Err(Reason::InsufficientScope)
        }
    }
}

impl ClaimRule {
    /// Whether the claims say so.
    pub fn holds(&self, claims: &Claims) -> bool {
        match (claims.pointer(&self.pointer), &self.test) {
            (None | Some(Value::Null), _) => false,
            (Some(_), ClaimTest::Present) => true,
            (Some(Value::Array(elements)), ClaimTest::Contains(values)) => {
                elements.iter().any(|element| values.contains(element))
            }
            (Some(value), ClaimTest::Contains(values)) => values.contains(value),
        }
    }
}
