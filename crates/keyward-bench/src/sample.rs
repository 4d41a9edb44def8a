//! What is measured with: keys, access tokens of 800 octets, and what an endpoint says of them, shaped like those of a
//! real provider.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use keyward_jose::{Algorithm, LocalSigner, Signer, sign_compact};
use serde_json::{Value, json};

use crate::Failure;

/// What `iss` says.
pub(crate) const ISSUER: &str = "https://idp.example/realms/main";

/// What `aud` says.
pub(crate) const AUDIENCE: &str = "https://api.example";

/// The tokens' length, which the issue's targets are for.
const OCTETS: usize = 800;

/// The HMAC secret.
pub(crate) const SECRET: &[u8] = b"a secret of at least sixty-four octets serves all of the three hashes.";

/// A signer for `algorithm`.
pub(crate) fn signer(algorithm: Algorithm) -> Result<Arc<LocalSigner>, Failure> {
    Ok(Arc::new(match algorithm {
        Algorithm::Hs256 => LocalSigner::from_secret(algorithm, Some("bench-2026"), SECRET)?,
        _ => LocalSigner::generate(algorithm, Some("bench-2026"))?,
    }))
}

/// The signer's public key as a JWK Set.
pub(crate) fn jwk_set(signer: &LocalSigner) -> Result<String, Failure> {
    Ok(json!({ "keys": [signer.public_jwk().ok_or("no public key")?] }).to_string())
}

/// A token that differs from those with other numbers, and is 800 octets long whatever its algorithm.
pub(crate) fn token(signer: &LocalSigner, number: u32) -> Result<String, Failure> {
    let short = sign(signer, &claims(number, 0).to_string())?;
    // Three octets of payload are four of the token.
    let padding = OCTETS.saturating_sub(short.len()) * 3 / 4;
    sign(signer, &claims(number, padding).to_string())
}

/// An opaque token that differs from those with other numbers, as long as one of 256 random bits.
pub(crate) fn opaque_token(number: u32) -> String {
    format!("kQ8v3mZp0yTn5rXw7Lc2JfHs9bGd4aUeVi6{number:08x}")
}

/// Whom [`introspection_response`] speaks of.
pub(crate) const INTROSPECTED_SUBJECT: &str = "introspected";

/// What an endpoint says of an active token (RFC 7662 §2.2): the claims of [`token`], of another subject.
pub(crate) fn introspection_response() -> Result<String, Failure> {
    let mut response = claims(0, 0);
    let members = response.as_object_mut().ok_or("no claims")?;
    members.extend([
        ("active".to_owned(), true.into()),
        ("sub".to_owned(), INTROSPECTED_SUBJECT.into()),
        ("token_type".to_owned(), "Bearer".into()),
    ]);
    Ok(response.to_string())
}

fn claims(number: u32, padding: usize) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut claims = json!({
        "iss": ISSUER,
        "sub": format!("5be86359-073c-434b-ad2d-{number:012x}"),
        "aud": AUDIENCE,
        "exp": now + 86_400,
        "iat": now - 10,
        "jti": format!("trrtcc:4e1e9a1a-{number:08x}"),
        "client_id": "orders-service",
        "scope": "orders:read orders:write",
        "realm_access": { "roles": ["reader", "writer"] },
    });
    if let Some(claims) = claims.as_object_mut().filter(|_| padding > 10) {
        claims.insert("note".to_owned(), "x".repeat(padding - 10).into());
    }
    claims
}

fn sign(signer: &LocalSigner, claims: &str) -> Result<String, Failure> {
    let signer: &dyn Signer = signer;
    let mut signing = Box::pin(sign_compact(signer, Some("at+jwt"), claims.as_bytes()));
    // A local signer is ready at once.
    match signing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(token) => Ok(token?),
        Poll::Pending => Err("a local signer does not wait".into()),
    }
}
