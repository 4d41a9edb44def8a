//! What is measured with: keys, and access tokens of 800 octets, shaped like those of a real provider.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use keyward_jose::{Algorithm, LocalSigner, Signer, sign_compact};
use serde_json::json;

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
    let short = sign(signer, &claims(number, 0))?;
    // Three octets of payload are four of the token.
    let padding = OCTETS.saturating_sub(short.len()) * 3 / 4;
    sign(signer, &claims(number, padding))
}

fn claims(number: u32, padding: usize) -> String {
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
    claims.to_string()
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
