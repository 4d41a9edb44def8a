//! The JOSE header of a compact JWS (RFC 7515 §4.1).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::json::{AnyValue, JsonError, MemberNames, Text};
use crate::{Algorithm, JwsError};

/// What a JOSE header says that a verifier may use.
///
/// `jku`, `x5u`, `jwk`, `x5c` and the thumbprints are read over: no key is ever chosen by what a token
/// carries with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    algorithm: Algorithm,
    kid: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Reads the decoded header.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, JwsError> {
        // Once for all of it, in place of once for each string.
        let json = str::from_utf8(json).map_err(|_| JwsError::MalformedHeader)?;
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let raw = RawHeader::deserialize(&mut deserializer)
            .and_then(|raw| deserializer.end().map(|()| raw))
            .map_err(|error| match JsonError::from(error) {
                JsonError::DuplicateName => JwsError::DuplicateHeaderName,
                JsonError::Malformed => JwsError::MalformedHeader,
            })?;
        if raw.critical || raw.unencoded {
            return Err(JwsError::CriticalHeaderUnsupported);
        }
        let name = raw.algorithm.ok_or(JwsError::MalformedHeader)?;
        let algorithm = Algorithm::from_name(&name).ok_or(JwsError::UnsupportedAlgorithm)?;
        Ok(Self { algorithm, kid: raw.kid, typ: raw.typ })
    }

    /// `alg` (RFC 7515 §4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid` (RFC 7515 §4.1.4): an opaque hint, never a path, a query or an address.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `typ` (RFC 7515 §4.1.9), as it stands; compare it with [`Header::is_type`].
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// Whether `typ` is this media type, whose case does not matter and whose `application/` may be left
    /// out (RFC 7515 §4.1.9).
    pub fn is_type(&self, media_type: &str) -> bool {
        self.typ().is_some_and(|typ| short_type(typ).eq_ignore_ascii_case(short_type(media_type)))
    }
}

/// The type without `application/`, which RFC 7515 §4.1.9 drops where no other slash follows.
fn short_type(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match media_type.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => media_type,
    }
}

#[derive(Default)]
struct RawHeader<'a> {
    algorithm: Option<Cow<'a, str>>,
    kid: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
    /// `crit` is there. We understand no extension, and an empty list is forbidden (RFC 7515 §4.1.11).
    critical: bool,
    /// `b64` is there and not `true` (RFC 7797 §3).
    unencoded: bool,
}

impl<'de> Deserialize<'de> for RawHeader<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawHeaderVisitor)
    }
}

struct RawHeaderVisitor;

impl<'de> Visitor<'de> for RawHeaderVisitor {
    type Value = RawHeader<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut names = MemberNames::default();
        let mut header = RawHeader::default();
        while let Some(Text(name)) = members.next_key()? {
            match name.as_ref() {
                "alg" => header.algorithm = Some(members.next_value::<Text<'de>>()?.0),
                "kid" => header.kid = Some(members.next_value::<Text<'de>>()?.0),
                "typ" => header.typ = Some(members.next_value::<Text<'de>>()?.0),
                "b64" => header.unencoded = !members.next_value::<bool>()?,
                "crit" => {
                    members.next_value::<AnyValue>()?;
                    header.critical = true;
                }
                _ => {
                    members.next_value::<AnyValue>()?;
                }
            }
            names.insert(name)?;
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Header<'_>, JwsError> {
        Header::parse(json.as_bytes())
    }

    #[test]
    fn reads_what_a_verifier_may_use() {
        let header = parse(r#"{"alg":"RS256","kid":"a\/b","typ":"at+jwt","jku":"http://169.254.169.254/"}"#);
        let header = header.expect("a plain header");
        assert_eq!(header.algorithm(), Algorithm::Rs256);
        assert_eq!(header.kid(), Some("a/b"));
        assert_eq!(header.typ(), Some("at+jwt"));
    }

    #[test]
    fn types_compare_as_media_types() {
        let header = parse(r#"{"alg":"RS256","typ":"Application/AT+JWT"}"#).expect("a plain header");
        assert!(header.is_type("at+jwt"));
        assert!(header.is_type("application/at+jwt"));
        assert!(!header.is_type("jwt"));
        let header = parse(r#"{"alg":"RS256","typ":"application/a/b"}"#).expect("a plain header");
        assert!(!header.is_type("a/b"));
    }

    #[test]
    fn refuses_what_it_must() {
        use JwsError::*;
        for (json, error) in [
            ("", MalformedHeader),
            ("[]", MalformedHeader),
            ("null", MalformedHeader),
            ("{}", MalformedHeader),
            (r#"{"alg":null}"#, MalformedHeader),
            (r#"{"alg":["RS256"]}"#, MalformedHeader),
            (r#"{"alg":"RS256","kid":7}"#, MalformedHeader),
            (r#"{"alg":"RS256","typ":{}}"#, MalformedHeader),
            (r#"{"alg":"RS256"}x"#, MalformedHeader),
            (r#"{"alg":"RS256","alg":"RS256"}"#, DuplicateHeaderName),
            (r#"{"alg":"RS256","x":1,"x":2}"#, DuplicateHeaderName),
            (r#"{"alg":"RS256","x":{"y":1,"y":2}}"#, DuplicateHeaderName),
            (r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, CriticalHeaderUnsupported),
            (r#"{"alg":"RS256","crit":[]}"#, CriticalHeaderUnsupported),
            (r#"{"alg":"RS256","crit":null}"#, CriticalHeaderUnsupported),
            (r#"{"alg":"RS256","b64":false}"#, CriticalHeaderUnsupported),
            (r#"{"alg":"RS256","b64":0}"#, MalformedHeader),
            (r#"{"alg":"none"}"#, UnsupportedAlgorithm),
            (r#"{"alg":"nOnE"}"#, UnsupportedAlgorithm),
            (r#"{"alg":"rs256"}"#, UnsupportedAlgorithm),
            (r#"{"alg":"RS256\u0000"}"#, UnsupportedAlgorithm),
            (r#"{"alg":"ES256K"}"#, UnsupportedAlgorithm),
        ] {
            assert_eq!(parse(json), Err(error), "{json}");
        }
    }
}
