//! What a token says, as far as it can be read: nothing of it is verified here.

use base64_simd::URL_SAFE_NO_PAD;
use keyward::{Claims, UnixTime};
use keyward_jose::{DecodeBuffer, Jws};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::time::{format_rfc3339, relative};

/// A token taken apart.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    /// The header, where it is a JSON object.
    pub(crate) header: Option<Value>,
    /// The claims, where the payload is a JSON object.
    pub(crate) claims: Option<Value>,
    /// The registered times among the claims, in words.
    pub(crate) times: Map<String, Value>,
    /// The signature's length in octets; the signature itself is never shown.
    pub(crate) signature_octets: Option<usize>,
    /// Why it is no token that could be verified; none where its form is sound.
    pub(crate) malformed: Option<String>,
}

/// The claims that are times (RFC 7519 §4.1, OpenID Connect Core §2).
const TIMES: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];

impl Explanation {
    /// Takes `token` apart, as seen at `now`.
    pub(crate) fn of(token: &[u8], now: UnixTime) -> Self {
        let parts: Vec<Option<Vec<u8>>> = token
            .split(|&octet| octet == b'.')
            .map(|part| URL_SAFE_NO_PAD.decode_to_vec(part).ok())
            .collect();
        let object = |place: usize| {
            let octets = parts.get(place)?.as_deref()?;
            serde_json::from_slice(octets).ok().filter(Value::is_object)
        };
        // The second part of an encrypted token is a key.
        let claims = if parts.len() == 3 { object(1) } else { None };
        let signature = parts.get(2).filter(|_| parts.len() == 3);
        Self {
            header: object(0),
            times: claims.as_ref().map(|claims| times(claims, now)).unwrap_or_default(),
            claims,
            signature_octets: signature.and_then(|signature| signature.as_ref().map(Vec::len)),
            malformed: malformed(token, parts.len()),
        }
    }
}

fn malformed(token: &[u8], parts: usize) -> Option<String> {
    match parts {
        1 => {
            return Some(
                "it has no parts: an opaque token, of which only its issuer can say more".to_owned(),
            );
        }
        5 => return Some("it has five parts: it is encrypted (JWE), which Keyward does not read".to_owned()),
        _ => {}
    }
    let mut buffer = DecodeBuffer::new();
    match Jws::parse(token, Jws::DEFAULT_SIZE_LIMIT, &mut buffer) {
        Err(error) => Some(error.to_string()),
        Ok(jws) => Claims::parse(jws.dangerous_unverified_payload())
            .err()
            .map(|error| format!("the payload: {error}")),
    }
}

fn times(claims: &Value, now: UnixTime) -> Map<String, Value> {
    TIMES
        .into_iter()
        .filter_map(|name| {
            let value = claims.get(name)?;
            // A fraction of a second is nothing to a person.
            let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
            let time = UnixTime(seconds);
            Some((name.to_owned(), format!("{}, {}", format_rfc3339(time), relative(time, now)).into()))
        })
        .collect()
}
