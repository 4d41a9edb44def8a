//! A JWK made of a certificate, where an issuer hands out certificates and no JWK Set.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{self, ParsedPublicKey};
use aws_lc_rs::{digest, rsa};
use base64_simd::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::jwk::PublicMembers;
use crate::verification_key::CURVES;
use crate::{Thumbprint, UnusableKey, base64url};

/// The public key of a certificate as a JWK, with the certificate as its wrapper (RFC 7517 §4.7, §4.9).
///
/// It has no `alg`: a certificate names none, and so the key serves each that its kind can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedJwk {
    kid: Box<str>,
    members: PublicMembers,
    chain: Vec<String>,
    sha256: Option<String>,
}

impl CertifiedJwk {
    /// The JWK of a key and its certificates in DER, its own first. An absent `kid` is the key's thumbprint
    /// (RFC 7638), which stays as it is when the certificate is renewed.
    ///
    /// `spki` is the certificate's SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7). Nothing is made of the
    /// certificates: whether they are this key's is for whoever reads the JWK to see.
    ///
    /// # Errors
    /// [`UnusableKey::TypeUnsupported`] where it is neither RSA, nor on a curve that JWKs have a name for.
    pub fn new(spki: &[u8], kid: Option<&str>, chain: &[&[u8]]) -> Result<Self, UnusableKey> {
        let members = members(spki).ok_or(UnusableKey::TypeUnsupported)?;
        let sha256 = |der: &&[u8]| base64url::encode(digest::digest(&digest::SHA256, der).as_ref());
        Ok(Self {
            kid: kid.map_or_else(|| Thumbprint::of(&members).to_string().into(), Into::into),
            members,
            sha256: chain.first().map(sha256),
            chain: chain.iter().map(|der| STANDARD.encode_to_string(der)).collect(),
        })
    }

    /// `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

impl Serialize for CertifiedJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kty", self.members.key_type().name())?;
        map.serialize_entry("kid", &self.kid)?;
        map.serialize_entry("use", "sig")?;
        self.members.serialize_into(&mut map)?;
        map.serialize_entry("x5c", &self.chain)?;
        if let Some(sha256) = &self.sha256 {
            map.serialize_entry("x5t#S256", sha256)?;
        }
        map.end()
    }
}

/// aws-lc reads the key, and writes it in its one canonical form, which ends in what a JWK holds.
fn members(spki: &[u8]) -> Option<PublicMembers> {
    if let Ok(key) = rsa::PublicKey::from_der(spki) {
        return Some(PublicMembers::Rsa {
            n: base64url::encode(key.modulus().big_endian_without_leading_zero()),
            e: base64url::encode(key.exponent().big_endian_without_leading_zero()),
        });
    }
    for curve in &CURVES {
        if let Ok(key) = ParsedPublicKey::new(curve.verification, spki) {
            let octets = curve.bits.div_ceil(8);
            let point = ends_in(&key, 2 * octets)?;
            let (x, y) = point.split_at_checked(octets)?;
            return Some(PublicMembers::Ec {
                crv: curve.name,
                x: base64url::encode(x),
                y: base64url::encode(y),
            });
        }
    }
    let key = ParsedPublicKey::new(&signature::ED25519, spki).ok()?;
    Some(PublicMembers::Okp { crv: "Ed25519", x: base64url::encode(&ends_in(&key, 32)?) })
}

fn ends_in(key: &ParsedPublicKey, octets: usize) -> Option<Vec<u8>> {
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(key).ok()?;
    let start = der.as_ref().len().checked_sub(octets)?;
    der.as_ref().get(start..).map(<[u8]>::to_vec)
}
