//! What is measured with: keys, access tokens of 800 octets, and what an endpoint says of them, shaped like those of a
//! real provider.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use keyward_jose::{Algorithm, LocalSigner, SignError, Signer, sign_compact};
use rcgen::{CertificateParams, DnType, KeyPair, SignatureAlgorithm};
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

/// The same, with a certificate around the key that it signed itself (RFC 7517 §4.7).
pub(crate) fn wrapped_jwk_set(signer: &LocalSigner) -> Result<String, Failure> {
    let algorithm: &SignatureAlgorithm = match signer.algorithm() {
        Algorithm::EdDsa => &rcgen::PKCS_ED25519,
        Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        _ => &rcgen::PKCS_RSA_SHA256,
    };
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&signer.to_pkcs8()?.as_slice().into(), algorithm)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "bench-2026");
    let mut jwk = serde_json::to_value(signer.public_jwk().ok_or("no public key")?)?;
    let members = jwk.as_object_mut().ok_or("no JWK")?;
    members.insert("x5c".to_owned(), json!([STANDARD.encode_to_string(params.self_signed(&pair)?.der())]));
    Ok(json!({ "keys": [jwk] }).to_string())
}

/// A token that differs from those with other numbers, and is 800 octets long whatever its algorithm.
pub(crate) fn token(signer: &LocalSigner, number: u32) -> Result<String, Failure> {
    padded(signer, claims(number))
}

/// Such a token that is bound to the key of `client` (RFC 9449 §6.1).
pub(crate) fn bound_token(signer: &LocalSigner, client: &LocalSigner) -> Result<String, Failure> {
    let mut claims = claims(1);
    let thumbprint = client.public_jwk().ok_or("no public key")?.thumbprint().to_string();
    claims.as_object_mut().ok_or("no claims")?.insert("cnf".to_owned(), json!({ "jkt": thumbprint }));
    padded(signer, claims)
}

/// The method and the URI of the request that [`proof`] is for.
pub(crate) const REQUEST: (&str, &str) = ("GET", "https://api.example/orders");

/// What `client` proves by that it holds the key of `token` (RFC 9449 §4.2), another one for each number.
pub(crate) fn proof(client: &LocalSigner, token: &str, number: usize) -> Result<String, Failure> {
    let header = json!({ "typ": "dpop+jwt", "alg": client.algorithm().name(), "jwk": bare_jwk(client)? });
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    let (method, uri) = REQUEST;
    let claims = json!({
        "jti": format!("7f0c2b5e-51d7-4d0c-9a43-{number:012x}"),
        "htm": method,
        "htu": uri,
        "iat": now(),
        "ath": URL_SAFE_NO_PAD.encode_to_string(hash),
    });
    let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode_to_string(part.to_string())).join(".");
    let signature = at_once(client.sign(input.as_bytes()))?;
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode_to_string(signature)))
}

/// The key alone, as clients put it into proofs.
fn bare_jwk(client: &LocalSigner) -> Result<Value, Failure> {
    let mut jwk = serde_json::to_value(client.public_jwk().ok_or("no public key")?)?;
    let members = jwk.as_object_mut().ok_or("no JWK")?;
    ["alg", "kid", "use"].into_iter().for_each(|name| drop(members.remove(name)));
    Ok(jwk)
}

/// An opaque token that differs from those with other numbers, as long as one of 256 random bits.
pub(crate) fn opaque_token(number: u32) -> String {
    format!("kQ8v3mZp0yTn5rXw7Lc2JfHs9bGd4aUeVi6{number:08x}")
}

/// Whom [`introspection_response`] speaks of.
pub(crate) const INTROSPECTED_SUBJECT: &str = "introspected";

/// What an endpoint says of an active token (RFC 7662 §2.2): the claims of [`token`], of another subject.
pub(crate) fn introspection_response() -> Result<String, Failure> {
    let mut response = claims(0);
    let members = response.as_object_mut().ok_or("no claims")?;
    members.extend([
        ("active".to_owned(), true.into()),
        ("sub".to_owned(), INTROSPECTED_SUBJECT.into()),
        ("token_type".to_owned(), "Bearer".into()),
    ]);
    Ok(response.to_string())
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What a token says.
pub(crate) fn claims(number: u32) -> Value {
    let now = now();
    json!({
        "iss": ISSUER,
        "sub": format!("5be86359-073c-434b-ad2d-{number:012x}"),
        "aud": AUDIENCE,
        "exp": now + 86_400,
        "iat": now - 10,
        "jti": format!("trrtcc:4e1e9a1a-{number:08x}"),
        "client_id": "orders-service",
        "scope": "orders:read orders:write",
        "realm_access": { "roles": ["reader", "writer"] },
    })
}

fn padded(signer: &LocalSigner, mut claims: Value) -> Result<String, Failure> {
    let short = sign(signer, &claims.to_string())?;
    // Three octets of payload are four of the token.
    let padding = OCTETS.saturating_sub(short.len()) * 3 / 4;
    if let Some(claims) = claims.as_object_mut().filter(|_| padding > 10) {
        claims.insert("note".to_owned(), "x".repeat(padding - 10).into());
    }
    sign(signer, &claims.to_string())
}

fn sign(signer: &LocalSigner, claims: &str) -> Result<String, Failure> {
    at_once(Box::pin(sign_compact(signer, Some("at+jwt"), claims.as_bytes())))
}

/// A local signer does not wait.
pub(crate) fn at_once<T>(
    mut signing: Pin<Box<dyn Future<Output = Result<T, SignError>> + Send + '_>>,
) -> Result<T, Failure> {
    match signing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(signed) => Ok(signed?),
        Poll::Pending => Err("a local signer does not wait".into()),
    }
}
