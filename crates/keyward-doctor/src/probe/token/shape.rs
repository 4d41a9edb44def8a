//! What a token is, by its form, its header and the names of its claims.

use base64_simd::URL_SAFE_NO_PAD;
use keyward::{Algorithm, Claims, Reason};
use keyward_jose::{Header, Jws, JwsError};
use serde_json::Value;

use crate::facts::{TokenFacts, TokenForm, TokenKind};
use crate::probe::target::Target;

/// Types that access tokens have, by RFC 9068, 7519 and custom.
const USUAL_TYPES: [&str; 3] = ["at+jwt", "JWT", "JOSE"];

/// Types that name what is no access token, by RFC 8725, 9449, 9701 and OpenID Connect Back-Channel Logout.
const OTHER_TYPES: [&str; 6] = [
    "logout+jwt",
    "dpop+jwt",
    "secevent+jwt",
    "token-introspection+jwt",
    "client-authentication+jwt",
    "oauth-authz-req+jwt",
];

pub(super) fn form(token: &[u8]) -> TokenForm {
    match token.iter().filter(|octet| **octet == b'.').count() {
        0 if token.is_empty() => TokenForm::Malformed,
        0 => TokenForm::Opaque,
        2 => TokenForm::Jws,
        4 => TokenForm::Encrypted,
        _ => TokenForm::Malformed,
    }
}

/// The facts of what is no token that could be verified.
pub(super) fn broken(facts: TokenFacts, token: &[u8], error: JwsError) -> TokenFacts {
    let reason = match error {
        JwsError::CriticalHeaderUnsupported => Reason::CriticalHeaderUnsupported,
        JwsError::TooLarge { .. } => Reason::TokenTooLarge,
        JwsError::UnsupportedAlgorithm => Reason::UnsupportedAlgorithm,
        _ => Reason::MalformedToken,
    };
    let malformed = match facts.form {
        TokenForm::Encrypted => "it has five parts: it is encrypted (JWE)".to_owned(),
        TokenForm::Opaque => "it has no parts: only its issuer can say what it is".to_owned(),
        TokenForm::Jws | TokenForm::Malformed if token.is_empty() => "it is empty".to_owned(),
        TokenForm::Jws | TokenForm::Malformed => error.to_string(),
    };
    let header = token.split(|octet| *octet == b'.').next().filter(|_| facts.form != TokenForm::Opaque);
    // One that is too large is not read.
    let header = header.filter(|_| reason != Reason::TokenTooLarge);
    let header = header.and_then(|part| URL_SAFE_NO_PAD.decode_to_vec(part).ok());
    let header: Option<Value> = header.and_then(|json| serde_json::from_slice(&json).ok());
    let algorithm = header.as_ref().and_then(|header| header.get("alg")?.as_str().map(known_algorithm));
    TokenFacts {
        malformed: Some(malformed),
        refused_for: Some(reason.label().to_owned()),
        algorithm: algorithm.map(str::to_owned),
        ..facts
    }
}

/// A stranger's text is replaced by one that it is known to be.
fn known_algorithm(name: &str) -> &'static str {
    match Algorithm::from_name(name) {
        Some(algorithm) => algorithm.name(),
        None if name.eq_ignore_ascii_case("none") => "none",
        None => "another",
    }
}

/// With what the header says.
pub(super) fn headed(facts: TokenFacts, jws: &Jws<'_>, target: &Target) -> TokenFacts {
    let header = jws.header();
    let algorithm = Some(header.algorithm().name().to_owned());
    TokenFacts { algorithm, token_type: known_type(header, target), ..facts }
}

fn known_type(header: &Header<'_>, target: &Target) -> Option<String> {
    header.typ()?;
    let configured = target.issuers.iter().flat_map(|issuer| &issuer.settings.policy.token_types);
    let known = USUAL_TYPES
        .into_iter()
        .chain(OTHER_TYPES)
        .chain(configured.map(|name| &**name))
        .find(|name| header.is_type(name));
    Some(known.unwrap_or("another").to_owned())
}

/// What it seems to be. An ID token has what only those have; an access token says what it grants.
pub(super) fn kind(jws: &Jws<'_>, claims: &Claims) -> TokenKind {
    let header = jws.header();
    if header.is_type("at+jwt") {
        return TokenKind::AccessToken;
    }
    if OTHER_TYPES.iter().any(|name| header.is_type(name)) || claims.pointer("/events").is_some() {
        return TokenKind::Other;
    }
    // Keycloak's `typ` and Cognito's `token_use` among the claims say it in so many words.
    let said = ["/typ", "/token_use"].map(|pointer| claims.pointer(pointer).and_then(Value::as_str));
    for said in said.into_iter().flatten() {
        match said.to_ascii_lowercase().as_str() {
            "id" => return TokenKind::IdToken,
            "bearer" | "access" | "dpop" => return TokenKind::AccessToken,
            "refresh" | "offline" | "logout" => return TokenKind::Other,
            _ => {}
        }
    }
    let has = |pointer: &&str| claims.pointer(pointer).is_some();
    if ["/at_hash", "/c_hash", "/s_hash"].iter().any(has) {
        return TokenKind::IdToken;
    }
    if claims.scopes().next().is_some() || ["/client_id", "/scope", "/scp"].iter().any(has) {
        return TokenKind::AccessToken;
    }
    let is_for_client = claims.authorized_party().is_some_and(|client| claims.audiences().eq([client]));
    if has(&"/nonce") || (has(&"/auth_time") && is_for_client) {
        return TokenKind::IdToken;
    }
    TokenKind::Unknown
}

/// How it is bound to a key or a certificate.
pub(super) fn bound(claims: &Claims) -> Option<String> {
    let confirmation = claims.confirmation()?;
    let names = match (confirmation.has_key(), confirmation.has_certificate()) {
        (true, true) => "jkt and x5t#S256",
        (true, false) => "jkt",
        (false, true) => "x5t#S256",
        (false, false) => "another",
    };
    Some(names.to_owned())
}
