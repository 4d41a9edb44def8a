//! Which key verifies a token's signature.

use keyward::Algorithm;
use keyward_jose::{Jws, KeyType, VerificationKey};

use super::Published;
use crate::facts::Signed;
use crate::probe::target::IssuerTarget;

/// So many keys are tried, of all sets together.
const TRIES: usize = 1024;

/// `own` is the key set of `its` issuer.
pub(super) fn signed(
    jws: &Jws<'_>,
    its: Option<&IssuerTarget>,
    own: Option<&Published>,
    published: &[Published],
) -> Signed {
    let header = jws.header();
    if header.algorithm().key_type() == KeyType::Oct {
        return by_secret(jws, its);
    }
    if published.is_empty() {
        return Signed::NotTried;
    }
    let mut tries = TRIES;
    let mut verifies = |key: &VerificationKey| {
        tries = tries.saturating_sub(1);
        tries > 0 && jws.verify(key).is_ok()
    };
    let keys = own.map(|own| own.set.keys()).unwrap_or_default();
    let is_named = |key: &&VerificationKey| header.kid().is_some() && key.kid() == header.kid();
    if keys.iter().filter(is_named).any(&mut verifies) {
        return Signed::ByItsKey;
    }
    if let Some(key) = keys.iter().filter(|key| !is_named(key)).find(|key| verifies(key)) {
        // A key without a name is everybody's, where none has the token's name.
        let is_free =
            header.kid().is_none() || (key.kid().is_none() && !keys.iter().any(|key| is_named(&key)));
        return if is_free { Signed::ByItsKey } else { Signed::ByAnother { kid: name(key) } };
    }
    let is_other = |published: &&Published| own.is_none_or(|own| own.issuer != published.issuer);
    for other in published.iter().filter(is_other) {
        if other.set.keys().iter().any(&mut verifies) {
            return Signed::ByOtherIssuer { name: other.issuer.clone() };
        }
    }
    // That no key is its own can only be said where its own were seen.
    if its.is_some() && own.is_none() { Signed::NotTried } else { Signed::ByNone }
}

fn name(key: &VerificationKey) -> String {
    match (key.kid(), key.thumbprint()) {
        (Some(kid), _) => kid.to_owned(),
        (None, Some(thumbprint)) => thumbprint.to_string(),
        (None, None) => "without name".to_owned(),
    }
}

/// A secret is ours, and in no set.
fn by_secret(jws: &Jws<'_>, its: Option<&IssuerTarget>) -> Signed {
    let has_algorithm =
        |algorithm: Algorithm| its.is_some_and(|its| its.settings.policy.algorithms.contains(algorithm));
    let key = its.and_then(|its| its.settings.hmac_key().ok()?);
    match key {
        Some(key) if has_algorithm(jws.header().algorithm()) => {
            if jws.verify(&key).is_ok() {
                Signed::ByItsKey
            } else {
                Signed::ByNone
            }
        }
        _ => Signed::NotTried,
    }
}
