//! Somebody else's public key, from a JWK (RFC 7517) or from PEM.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::UnparsedPublicKey;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::verification;
use crate::jws::from_base64url;
use crate::plan::Algorithm;

/// A public key.
#[derive(Debug)]
pub(crate) struct PublicKey {
    family: Family,
    /// A point, an Ed25519 key or a SubjectPublicKeyInfo: aws-lc tells them apart.
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
}

/// The object identifiers of a SubjectPublicKeyInfo (RFC 3279 §2.3.1, RFC 5480 §2.1.1.1, RFC 8410 §3), in DER.
const IDENTIFIERS: [(&[u8], Family); 5] = [
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], Family::Rsa),
    (&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], Family::P256),
    (&[6, 5, 0x2b, 0x81, 4, 0, 34], Family::P384),
    (&[6, 5, 0x2b, 0x81, 4, 0, 35], Family::P521),
    (&[6, 3, 0x2b, 0x65, 0x70], Family::Ed25519),
];

/// Octets of a SubjectPublicKeyInfo in which its identifiers are.
const IDENTIFIED_WITHIN: usize = 32;

impl PublicKey {
    pub(crate) fn from_jwk_text(text: &str) -> Option<Self> {
        Self::from_jwk(&serde_json::from_str(text).ok()?)
    }

    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name)?.as_str();
        let octets = |name: &str| from_base64url(text(name)?);
        let (family, octets) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let components = PublicKeyComponents { n: octets("n")?, e: octets("e")? };
                let der: PublicKeyX509Der<'_> = components.as_der().ok()?;
                (Family::Rsa, der.as_ref().to_vec())
            }
            ("OKP", Some("Ed25519")) => (Family::Ed25519, octets("x")?),
            ("EC", Some(crv)) => {
                let family = match crv {
                    "P-256" => Family::P256,
                    "P-384" => Family::P384,
                    "P-521" => Family::P521,
                    _ => return None,
                };
                // An uncompressed point (SEC 1 §2.3.3).
                (family, [vec![4], octets("x")?, octets("y")?].concat())
            }
            _ => return None,
        };
        Some(Self { family, octets })
    }

    pub(crate) fn from_pem(text: &str) -> Option<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?;
        let start = der.get(..IDENTIFIED_WITHIN)?;
        let has = |identifier: &[u8]| start.windows(identifier.len()).any(|octets| octets == identifier);
        let (_, family) = IDENTIFIERS.iter().find(|(identifier, _)| has(identifier))?;
        Some(Self { family: *family, octets: der.to_vec() })
    }

    /// Whether its private half signed this.
    pub(crate) fn signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(verification(algorithm), &self.octets);
        family(algorithm) == self.family && key.verify(message, signature).is_ok()
    }
}

fn family(algorithm: Algorithm) -> Family {
    match algorithm {
        Algorithm::ES256 => Family::P256,
        Algorithm::ES384 => Family::P384,
        Algorithm::ES512 => Family::P521,
        Algorithm::EdDSA => Family::Ed25519,
        Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512
        | Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512 => Family::Rsa,
    }
}
