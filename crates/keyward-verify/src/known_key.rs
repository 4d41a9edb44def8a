//! Which key of a kept set somebody has: for who holds the rest of what they show to rules of their own.

use std::sync::Arc;

use keyward_jose::{Jws, Thumbprint};

use crate::decide::{could_know, find_key, hash_kid};
use crate::key_set::LiveKey;
use crate::{Issuer, MonoTime, Now, Reason, Stop, UnixTime, WantedKey};

/// The key that signed `jws`, by the rules of [`decide`](crate::decide()). Neither its header beyond `alg` and `kid` nor its
/// claims are looked at, and `issued_at` is what these say. `arrived` is when it came in.
///
/// # Errors
/// [`Stop`]: the key that is lacking, or why there is none.
pub fn signing_key(
    now: Now,
    arrived: MonoTime,
    issuer: &Issuer,
    jws: &Jws<'_>,
    issued_at: Option<UnixTime>,
) -> Result<Arc<LiveKey>, Stop> {
    // One look at the set: what one set lacks must not be said of the next.
    let current = issuer.keys.current();
    let set = current.as_deref();
    find_key(now, issuer, set, jws)
        .map_err(|no_key| no_key.stop(0, jws, could_know(now, arrived, issuer, set, issued_at)))
}

/// The key with this thumbprint (RFC 7638), which somebody has proved to have, such as in a TLS handshake.
///
/// # Errors
/// [`Stop`]: the key that is lacking, or [`Reason::UnknownKid`].
pub fn key_with_thumbprint(
    now: Now,
    arrived: MonoTime,
    issuer: &Issuer,
    thumbprint: &Thumbprint,
) -> Result<Arc<LiveKey>, Stop> {
    let current = issuer.keys.current();
    let lacking = |otherwise| {
        let kid_hash = hash_kid(Some(&thumbprint.to_string()));
        Stop::NeedsKey(WantedKey { issuer: 0, kid_hash, otherwise })
    };
    let Some(set) = current.as_deref() else {
        return Err(lacking(Reason::KeysUnavailable));
    };
    if now.mono >= set.usable_until() {
        return Err(lacking(Reason::KeysStaleLimit));
    }
    let is_it = |live: &&Arc<LiveKey>| {
        live.key().thumbprint().as_ref() == Some(thumbprint) && live.is_usable(now.mono)
    };
    match set.keys().iter().find(is_it) {
        Some(live) if issuer.policy.denies(live) => Err(Reason::Revoked.into()),
        Some(live) => Ok(Arc::clone(live)),
        None if could_know(now, arrived, issuer, Some(set), None) => Err(Reason::UnknownKid.into()),
        None => Err(lacking(Reason::KeysUnavailable)),
    }
}
