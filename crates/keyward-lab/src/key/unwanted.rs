//! What should not be in a JWK Set, and is.

use serde_json::{Value, json};

use crate::command::Beside;
use crate::error::CommandError;
use crate::jws::base64url;
use crate::key::{LabKey, RsaStock};
use crate::plan::KeyPlan;
use crate::random::Random;

/// Octets of the public key of ML-DSA-44 (FIPS 204 §4).
const ML_DSA_44_OCTETS: usize = 1312;

/// The JWK, or what stands in the place of one.
pub(crate) fn unwanted(beside: &Beside, random: &Random) -> Result<Value, CommandError> {
    Ok(match beside {
        Beside::Akp => json!({
            "kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "kid": "akp",
            "pub": base64url(&random.octets(ML_DSA_44_OCTETS)),
        }),
        // Of two numbers at random, one pair in 2^256 is a point.
        Beside::BrokenPoint(kid) => json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
            "x": base64url(&random.octets(32)), "y": base64url(&random.octets(32)),
        }),
        Beside::DuplicateOf(kid) => good(&KeyPlan::named(kid))?,
        Beside::WeakRsa => json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "weak-rsa",
            "n": base64url(&odd_and_long(random.octets(1024 / 8))), "e": "AQAB",
        }),
        Beside::Symmetric => json!({
            "kty": "oct", "alg": "HS256", "use": "sig", "kid": "symmetric", "k": base64url(&random.octets(32)),
        }),
        Beside::Encryption => {
            let mut jwk = good(&KeyPlan::named("encryption"))?;
            if let Some(members) = jwk.as_object_mut() {
                members.insert("use".to_owned(), "enc".into());
                members.insert("alg".to_owned(), "ECDH-ES".into());
            }
            jwk
        }
        Beside::Nameless => good(&KeyPlan { nameless: true, ..KeyPlan::named("nameless") })?,
        Beside::NoObject => json!("this is no JWK"),
        Beside::Raw(text) => {
            serde_json::from_str(text).map_err(|source| CommandError::JwkNotJson { source })?
        }
    })
}

/// The public half of an ES256 key whose private half nobody has.
fn good(plan: &KeyPlan) -> Result<Value, CommandError> {
    let key = LabKey::generate(plan, &RsaStock::default()).map_err(CommandError::KeyGeneration)?;
    Ok(key.jwk().clone())
}

/// A modulus has its highest bit set, or it is shorter, and its lowest, or two divides it.
fn odd_and_long(mut octets: Vec<u8>) -> Vec<u8> {
    if let Some(first) = octets.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = octets.last_mut() {
        *last |= 1;
    }
    octets
}
