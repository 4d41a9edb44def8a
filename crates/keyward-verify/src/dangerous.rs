//! Escape hatches, for tools that hold a token against keys that a person chose. A service has no use for
//! them: it would let in what it never meant to.

use std::sync::Arc;

use keyward_jose::{DecodeBuffer, Jws};

use crate::decide::{check, could_know, find_key, reason_of};
use crate::key_set::LiveKey;
use crate::{Decision, Issuer, MonoTime, Now, Reason, Requirement, Stop};

/// As [`decide`](crate::decide) with one issuer, except that `iss` is not looked at: it may say anything, or
/// be absent. All else is checked as `issuer` has it.
///
/// Whoever trusts the answer trusts every holder of a key of the set under any name it gives itself, which
/// is wrong wherever two issuers share keys or a name decides what a token may do.
pub fn dangerous_decide_for_any_issuer(
    now: Now,
    arrived: MonoTime,
    issuer: &Issuer,
    requirement: &Requirement,
    token: &[u8],
    buffer: &mut DecodeBuffer,
) -> Decision {
    let size_limit = issuer.policy.token_size_limit;
    check(now, arrived, size_limit, |_| Ok((0, issuer)), requirement, token, buffer).into()
}

/// A JWS that a key of the set signed. Nothing else is known of it: neither whether it is a token, nor for
/// whom or until when.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    key: Arc<LiveKey>,
    payload: &'a [u8],
}

impl<'a> Signed<'a> {
    /// The key that verified it.
    pub fn key(&self) -> &LiveKey {
        &self.key
    }

    /// What was signed: any octets.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Checks the size, the form, `alg` and the signature, and nothing else: no `typ`, no claims, no times.
///
/// Whoever takes the result for an accepted token accepts every old one, and those for somebody else.
///
/// # Errors
/// [`Stop`], whose issuer is at place 0.
pub fn dangerous_verify_signature_only<'a>(
    now: Now,
    arrived: MonoTime,
    issuer: &Issuer,
    token: &'a [u8],
    buffer: &'a mut DecodeBuffer,
) -> Result<Signed<'a>, Stop> {
    let jws = Jws::parse(token, issuer.policy.token_size_limit, buffer).map_err(reason_of)?;
    if !issuer.policy.algorithms.contains(jws.header().algorithm()) {
        return Err(Reason::UnsupportedAlgorithm.into());
    }
    let current = issuer.keys.current();
    let set = current.as_deref();
    let key = find_key(now, issuer, set, &jws)
        .map_err(|no_key| no_key.stop(0, &jws, could_know(now, arrived, issuer, set, None)))?;
    Ok(Signed { key, payload: jws.dangerous_unverified_payload() })
}
