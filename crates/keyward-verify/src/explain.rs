//! The checks one by one, for a person who asks why: none is left out because another failed.

use keyward_jose::{DecodeBuffer, Jws};

use crate::decide::{NoKey, Stop, could_know, find_key, reason_of};
use crate::key_set::WrapperPolicy;
use crate::{Claims, Issuer, MonoTime, Now, Reason, Requirement};

/// One of the checks that a token goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Size, three parts, base64url, and a header that is understood.
    Form,
    /// The payload is a JWT Claims Set.
    Claims,
    /// `iss` is the issuer's.
    Issuer,
    /// `alg` and `typ` are among those that the issuer may use.
    Header,
    /// `exp`, `nbf` and `iat`.
    Times,
    /// `aud` names an accepted audience.
    Audience,
    /// A key of the issuer's set signed it.
    Signature,
    /// The X.509 certificate around that key is in order. Only looked at where the policy is to enforce it.
    Wrapper,
    /// The scopes and claims that are demanded.
    Granted,
}

/// What one check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does not hold.
    No(Reason),
    /// Nothing is demanded, so nothing was looked at.
    NotAsked,
    /// It holds.
    Yes,
}

impl Check {
    /// The label in machine-readable output.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Claims => "claims",
            Self::Form => "form",
            Self::Granted => "granted",
            Self::Header => "header",
            Self::Issuer => "issuer",
            Self::Signature => "signature",
            Self::Times => "times",
            Self::Wrapper => "wrapper",
        }
    }
}

/// What each check says of `token`, in the order in which [`decide`](crate::decide) makes them, as far as
/// the token can be read. It explains a verdict and is none: only `decide` accepts.
pub fn explain(
    now: Now,
    arrived: MonoTime,
    issuer: &Issuer,
    requirement: &Requirement,
    token: &[u8],
    buffer: &mut DecodeBuffer,
) -> Vec<(Check, Outcome)> {
    let policy = &issuer.policy;
    let mut outcomes = Vec::new();
    let jws = match Jws::parse(token, policy.token_size_limit, buffer) {
        Ok(jws) => jws,
        Err(error) => return vec![(Check::Form, Outcome::No(reason_of(error)))],
    };
    outcomes.push((Check::Form, Outcome::Yes));
    let claims = Claims::parse(jws.dangerous_unverified_payload());
    outcomes.push((Check::Claims, Outcome::of(claims.as_ref().map_err(|_| Reason::MalformedToken))));
    if let Ok(claims) = &claims {
        outcomes.push((Check::Issuer, issuer_outcome(issuer, claims)));
        outcomes.push((Check::Header, Outcome::of(policy.check_header(jws.header()))));
        outcomes.push((Check::Times, Outcome::of(policy.check_times(claims, now))));
        let audience = if requirement.audiences.is_empty() && policy.audiences.is_empty() {
            Outcome::NotAsked
        } else {
            Outcome::of(policy.check_audience(claims, &requirement.audiences))
        };
        outcomes.push((Check::Audience, audience));
    }
    let issued_at = claims.as_ref().ok().and_then(Claims::issued_at);
    let current = issuer.keys.current();
    let set = current.as_deref();
    let found = find_key(now, issuer, set, &jws);
    let wrapper = match &found {
        Ok(_) => (policy.wrapper == WrapperPolicy::Enforce).then_some(Outcome::Yes),
        Err(NoKey::Wrapper(reason, _)) => Some(Outcome::No(*reason)),
        Err(_) => None,
    };
    let signature = match found {
        // It is good: what is refused is the certificate around its key.
        Ok(_) | Err(NoKey::Wrapper(..)) => Ok(()),
        Err(no_key) => match no_key.stop(0, &jws, could_know(now, arrived, issuer, set, issued_at)) {
            Stop::Reason(reason) => Err(reason),
            Stop::NeedsKey(wanted) => Err(wanted.otherwise),
        },
    };
    outcomes.push((Check::Signature, Outcome::of(signature)));
    outcomes.extend(wrapper.map(|outcome| (Check::Wrapper, outcome)));
    if let Ok(claims) = &claims
        && !(requirement.scopes.is_empty() && requirement.claims.is_empty())
    {
        outcomes.push((Check::Granted, Outcome::of(requirement.check_granted(claims))));
    }
    outcomes
}

fn issuer_outcome(issuer: &Issuer, claims: &Claims) -> Outcome {
    match claims.issuer() {
        None => Outcome::No(Reason::MissingClaim),
        Some(name) if *name == *issuer.policy.issuer => Outcome::Yes,
        Some(_) => Outcome::No(Reason::UnknownIssuer),
    }
}

impl Outcome {
    fn of<T>(result: Result<T, Reason>) -> Self {
        match result {
            Ok(_) => Self::Yes,
            Err(reason) => Self::No(reason),
        }
    }
}
