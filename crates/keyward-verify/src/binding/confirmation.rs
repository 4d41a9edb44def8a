//! What a token is bound to: the claim `cnf` (RFC 7800 §3.1, RFC 8705 §3.1, RFC 9449 §6.1).

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64_simd::{Out, URL_SAFE_NO_PAD};
use keyward_jose::json::{AnyValue, MemberNames, Text};
use keyward_jose::{DecodeBuffer, Jws, Thumbprint};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::CertificateThumbprint;
use crate::Claims;

/// What `cnf` says: each of its members that is understood must be proved.
///
/// A member that is not understood is left out of account where another one is (RFC 7800 §3.1). Where none is, the token
/// is bound to something that nobody here can prove, and is never accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmation {
    certificate: Option<CertificateThumbprint>,
    key: Option<[u8; 32]>,
}

impl Confirmation {
    /// One that nothing can prove.
    pub(crate) const UNKNOWN: Self = Self { certificate: None, key: None };

    /// What a token says of itself, where it is a JWS whose claims can be read: nobody verified it.
    pub(crate) fn claimed_by(token: &[u8]) -> Option<Self> {
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(token, usize::MAX, &mut buffer).ok()?;
        let claims = Claims::parse(jws.dangerous_unverified_payload());
        claims.map_or(Some(Self::UNKNOWN), |claims| claims.confirmation().copied())
    }

    /// Whether it names a certificate: `x5t#S256`.
    pub fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Whether it names a key that DPoP proves: `jkt`.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether it names nothing that could be proved here.
    pub fn is_unknown(&self) -> bool {
        !self.has_certificate() && !self.has_key()
    }

    /// Whether this certificate is the one it names, if it names one. In constant time.
    pub(super) fn allows_certificate(&self, presented: CertificateThumbprint) -> bool {
        self.certificate.is_none_or(|named| verify_slices_are_equal(&named.0, &presented.0).is_ok())
    }

    /// Whether this key is the one it names, if it names one. In constant time.
    pub(super) fn allows_key(&self, proved: Thumbprint) -> bool {
        self.key.is_none_or(|named| verify_slices_are_equal(&named, proved.as_bytes()).is_ok())
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConfirmationVisitor)
    }
}

struct ConfirmationVisitor;

impl<'de> Visitor<'de> for ConfirmationVisitor {
    type Value = Confirmation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a confirmation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Confirmation, A::Error> {
        let mut names = MemberNames::default();
        let mut confirmation = Confirmation::UNKNOWN;
        while let Some(Text(name)) = members.next_key()? {
            match name.as_ref() {
                "jkt" => confirmation.key = Some(members.next_value::<Hash>()?.0),
                "x5t#S256" => {
                    confirmation.certificate = Some(CertificateThumbprint(members.next_value::<Hash>()?.0));
                }
                _ => {
                    members.next_value::<AnyValue>()?;
                }
            }
            names.insert(name)?;
        }
        Ok(confirmation)
    }
}

/// A SHA-256 in its one spelling: canonical base64url without padding.
struct Hash([u8; 32]);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let mut hash = [0; 32];
        // A text of any other length would not fit, which the decoder takes for a fault of the program's.
        let is_hash =
            text.len() == 43 && URL_SAFE_NO_PAD.decode(text.as_bytes(), Out::from_slice(&mut hash)).is_ok();
        if is_hash { Ok(Self(hash)) } else { Err(de::Error::custom("no SHA-256 in base64url")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Option<Confirmation> {
        serde_json::from_str(json).ok()
    }

    const ZERO: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn reads_what_it_understands_and_leaves_out_the_rest() {
        let both = parse(&format!(r#"{{"jkt":"{ZERO}","x5t#S256":"{ZERO}","kid":7}}"#)).expect("sound");
        assert!(both.has_key() && both.has_certificate() && !both.is_unknown());
        assert!(both.allows_certificate(CertificateThumbprint([0; 32])));
        assert!(!both.allows_certificate(CertificateThumbprint([1; 32])));
        for json in ["{}", r#"{"kid":"a"}"#, r#"{"jwk":{"kty":"EC"}}"#, r#"{"JKT":"x"}"#, r#"{"x5t":"x"}"#] {
            assert_eq!(parse(json), Some(Confirmation::UNKNOWN), "{json}");
        }
    }

    #[test]
    fn refuses_what_is_no_confirmation() {
        let mut faults: Vec<String> =
            ["null", "7", "\"x\"", "[]", "[{}]", "true"].map(String::from).into_iter().collect();
        for name in ["jkt", "x5t#S256"] {
            for value in [
                "null".to_owned(),
                "7".to_owned(),
                "{}".to_owned(),
                "\"\"".to_owned(),
                "\"x\"".to_owned(),
                format!("[\"{ZERO}\"]"),
                format!("\"{ZERO}=\""),
                format!("\"{ZERO}A\""),
                format!("\"{}\"", &ZERO[1..]),
                format!("\"{}B\"", &ZERO[1..]),
                format!("\"{}+\"", &ZERO[1..]),
            ] {
                faults.push(format!("{{\"{name}\":{value}}}"));
            }
            faults.push(format!(r#"{{"{name}":"{ZERO}","{name}":"{ZERO}"}}"#));
        }
        faults.push(r#"{"kid":1,"kid":1}"#.to_owned());
        for json in faults {
            assert_eq!(parse(&json), None, "{json}");
        }
    }
}
