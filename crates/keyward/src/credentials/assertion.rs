//! The JWT by which a key of ours says who we are (RFC 7523 §3).

use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::{SignError, Signer, sign_compact};
use keyward_verify::UnixTime;
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

/// How long an assertion counts: it is used at once, and a clock may be off by a little.
pub(super) const LIFETIME: Duration = Duration::from_secs(60);

/// Whom an assertion is for: its `aud` (RFC 7523 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// The address that it is sent to, which older providers ask for.
    Endpoint,
    /// The issuer's identifier, to the letter. No other provider can use the assertion at this one.
    #[default]
    Issuer,
    /// This, to the letter.
    Named(String),
}

/// What an assertion is made for: where it goes to, at what time, and 128 bits that no other one was made with.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'a> {
    /// The issuer's identifier.
    pub issuer: &'a str,
    /// Where the request goes to.
    pub endpoint: &'a Url,
    /// The time.
    pub now: UnixTime,
    /// Randomness, for `jti`.
    pub nonce: u128,
}

#[derive(Serialize)]
struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: i64,
    exp: i64,
}

/// An assertion of `subject`, who is its own issuer.
pub(super) async fn sign(
    key: &dyn Signer,
    subject: &str,
    audience: &Audience,
    occasion: &Occasion<'_>,
) -> Result<Zeroizing<String>, SignError> {
    let aud = match audience {
        Audience::Endpoint => occasion.endpoint.as_str(),
        Audience::Issuer => occasion.issuer,
        Audience::Named(audience) => audience,
    };
    let jti = URL_SAFE_NO_PAD.encode_to_string(occasion.nonce.to_be_bytes());
    let UnixTime(iat) = occasion.now;
    let UnixTime(exp) = occasion.now.saturating_add(LIFETIME);
    let claims = AssertionClaims { iss: subject, sub: subject, aud, jti: &jti, iat, exp };
    let claims = serde_json::to_vec(&claims).map_err(|_| SignError::Failed)?;
    sign_compact(key, Some("JWT"), &claims).await.map(Zeroizing::new)
}
