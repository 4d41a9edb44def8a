//! The keys of an issuer: made, shown as JWKs (RFC 7517), signing and checking what they signed.

mod public;
mod ring;
mod rsa_stock;
mod unwanted;
mod wrapper;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Map, Value};

pub(crate) use public::PublicKey;
pub use ring::KeyState;
pub(crate) use ring::{KeyRing, State};
pub(crate) use rsa_stock::RsaStock;
pub(crate) use unwanted::unwanted;
pub(crate) use wrapper::Wrapper;

use crate::jws::base64url;
use crate::plan::{Algorithm, KeyPlan};
use crate::random::ignored_random;

/// A key pair with its names.
#[derive(Debug)]
pub(crate) struct LabKey {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
    nameless: bool,
    private: Private,
    jwk: Value,
}

#[derive(Debug)]
enum Private {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

/// aws-lc or rcgen could not make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key could not be made")]
pub struct KeyGeneration;

impl LabKey {
    /// A new key, without the certificate around it. An RSA key may be one that another lab of this process had; no lab has it twice.
    pub(crate) fn generate(plan: &KeyPlan, stock: &RsaStock) -> Result<Self, KeyGeneration> {
        let private = Private::generate(plan.algorithm, stock).map_err(|_| KeyGeneration)?;
        let mut jwk = private.public_members();
        jwk.insert("alg".to_owned(), plan.algorithm.name().into());
        jwk.insert("use".to_owned(), "sig".into());
        if !plan.nameless {
            jwk.insert("kid".to_owned(), plan.kid.as_str().into());
        }
        Ok(Self {
            name: plan.kid.clone(),
            algorithm: plan.algorithm,
            nameless: plan.nameless,
            private,
            jwk: Value::Object(jwk),
        })
    }

    /// What its tokens and its JWK say of it.
    pub(crate) fn kid(&self) -> Option<&str> {
        (!self.nameless).then_some(&self.name)
    }

    pub(crate) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// A JWS signature (RFC 7518 §3, RFC 8037 §3.1).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match &self.private {
            Private::Ecdsa(pair) => Ok(pair.sign(&ignored_random(), message)?.as_ref().to_vec()),
            Private::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Private::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &ignored_random(), message, &mut signature)?;
                Ok(signature)
            }
        }
    }

    /// Whether it signed this.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let public: &[u8] = match &self.private {
            Private::Ecdsa(pair) => pair.public_key().as_ref(),
            Private::Ed25519(pair) => pair.public_key().as_ref(),
            Private::Rsa(pair, _) => pair.public_key().as_ref(),
        };
        UnparsedPublicKey::new(verification(self.algorithm), public).verify(message, signature).is_ok()
    }

    /// The private key (RFC 5208 §5).
    pub(crate) fn pkcs8(&self) -> Result<Vec<u8>, Unspecified> {
        Ok(match &self.private {
            Private::Ecdsa(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Private::Ed25519(pair) => pair.to_pkcs8v1()?.as_ref().to_vec(),
            Private::Rsa(pair, _) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref().to_vec(),
        })
    }

    /// Octets of each of its signatures.
    pub(crate) fn signature_octets(&self) -> usize {
        match &self.private {
            Private::Rsa(pair, _) => pair.public_modulus_len(),
            Private::Ed25519(_) => 64,
            Private::Ecdsa(_) => match self.algorithm {
                Algorithm::ES384 => 96,
                Algorithm::ES512 => 132,
                _ => 64,
            },
        }
    }
}

impl Private {
    fn generate(algorithm: Algorithm, stock: &RsaStock) -> Result<Self, Unspecified> {
        if let Some(encoding) = rsa_encoding(algorithm) {
            let pkcs8 = stock.take()?;
            return Ok(Self::Rsa(RsaKeyPair::from_pkcs8(&pkcs8)?, encoding));
        }
        if let Some(curve) = curve(algorithm) {
            return Ok(Self::Ecdsa(EcdsaKeyPair::generate(curve)?));
        }
        Ok(Self::Ed25519(Ed25519KeyPair::generate()?))
    }

    fn public_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let mut insert = |name: &str, value: &str| members.insert(name.to_owned(), value.into());
        match self {
            Self::Ecdsa(pair) => {
                // An uncompressed point: 4, then X and Y at equal length (SEC 1 §2.3.3).
                let coordinates = pair.public_key().as_ref().split_at(1).1;
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let crv = match coordinates.len() {
                    64 => "P-256",
                    96 => "P-384",
                    _ => "P-521",
                };
                insert("kty", "EC");
                insert("crv", crv);
                insert("x", &base64url(x));
                insert("y", &base64url(y));
            }
            Self::Ed25519(pair) => {
                insert("kty", "OKP");
                insert("crv", "Ed25519");
                insert("x", &base64url(pair.public_key().as_ref()));
            }
            Self::Rsa(pair, _) => {
                let public = pair.public_key();
                insert("kty", "RSA");
                insert("n", &base64url(public.modulus().big_endian_without_leading_zero()));
                insert("e", &base64url(public.exponent().big_endian_without_leading_zero()));
            }
        }
        members
    }
}

fn curve(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::ES512 => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => None,
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    match algorithm {
        Algorithm::PS256 => Some(&signature::RSA_PSS_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_SHA512),
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_SHA512),
        _ => None,
    }
}

fn verification(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::ES512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDSA => &signature::ED25519,
        Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
    }
}
