//! A signing key in this process' memory.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::jwk::PublicMembers;
use crate::signer::Signature;
use crate::{
    Algorithm, AlgorithmSet, Jwk, KeyType, SignError, Signer, UnusableKey, VerificationKey, base64url,
};

/// A key held in memory; aws-lc wipes it when it is dropped.
pub struct LocalSigner {
    algorithm: Algorithm,
    kid: Option<Box<str>>,
    jwk: Option<Jwk>,
    key: PrivateKey,
}

enum PrivateKey {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

/// Why a signing key could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The algorithm is not for this kind of key.
    #[error("the algorithm is not for this kind of key")]
    AlgorithmMismatch,
    /// aws-lc could not make a key.
    #[error("no key could be generated")]
    Generation,
    /// Not a private key in PKCS#8 (RFC 5958) of the algorithm's kind.
    #[error("not a PKCS#8 private key for this algorithm")]
    Pkcs8,
    /// No verifier would take the public half, for this reason.
    #[error("its public key is unusable: {0}")]
    Unusable(UnusableKey),
}

impl LocalSigner {
    /// A new key pair: 2048 bits for RSA, otherwise what the algorithm's curve gives. An absent `kid` is the
    /// key's thumbprint (RFC 7638).
    ///
    /// The randomness is aws-lc's own generator: its API takes no other.
    ///
    /// # Errors
    /// [`SigningKeyError::AlgorithmMismatch`] for HMAC, whose secrets come from [`LocalSigner::from_secret`].
    pub fn generate(algorithm: Algorithm, kid: Option<&str>) -> Result<Self, SigningKeyError> {
        let key = match algorithm.key_type() {
            KeyType::Ec => ecdsa(algorithm)
                .and_then(|ecdsa| EcdsaKeyPair::generate(ecdsa).map_err(|_| SigningKeyError::Generation))
                .map(PrivateKey::Ecdsa),
            KeyType::Oct => Err(SigningKeyError::AlgorithmMismatch),
            KeyType::Okp => {
                Ed25519KeyPair::generate().map(PrivateKey::Ed25519).map_err(|_| SigningKeyError::Generation)
            }
            KeyType::Rsa => RsaKeyPair::generate(KeySize::Rsa2048)
                .map_err(|_| SigningKeyError::Generation)
                .and_then(|pair| Ok(PrivateKey::Rsa(pair, rsa_encoding(algorithm)?))),
        }?;
        Ok(Self::new(algorithm, kid, key))
    }

    /// A key from PKCS#8 (RFC 5958) in DER.
    ///
    /// # Errors
    /// [`SigningKeyError::Pkcs8`] where it is not one of the algorithm's kind, and
    /// [`SigningKeyError::Unusable`] where it is one that [`VerificationKey::from_jwk`] refuses.
    pub fn from_pkcs8(algorithm: Algorithm, kid: Option<&str>, der: &[u8]) -> Result<Self, SigningKeyError> {
        let key = match algorithm.key_type() {
            KeyType::Ec => EcdsaKeyPair::from_pkcs8(ecdsa(algorithm)?, der).map(PrivateKey::Ecdsa),
            KeyType::Oct => return Err(SigningKeyError::AlgorithmMismatch),
            KeyType::Okp => Ed25519KeyPair::from_pkcs8(der).map(PrivateKey::Ed25519),
            KeyType::Rsa => {
                let encoding = rsa_encoding(algorithm)?;
                RsaKeyPair::from_pkcs8(der).map(|pair| PrivateKey::Rsa(pair, encoding))
            }
        };
        let signer = Self::new(algorithm, kid, key.map_err(|_| SigningKeyError::Pkcs8)?);
        let jwk = serde_json::to_vec(&signer.jwk).map_err(|_| SigningKeyError::Pkcs8)?;
        VerificationKey::from_jwk(&jwk).map_err(SigningKeyError::Unusable)?;
        Ok(signer)
    }

    /// A secret for HMAC.
    ///
    /// # Errors
    /// [`UnusableKey`] as [`VerificationKey::from_secret`] gives it.
    pub fn from_secret(algorithm: Algorithm, kid: Option<&str>, secret: &[u8]) -> Result<Self, UnusableKey> {
        VerificationKey::from_secret(secret, AlgorithmSet::from_iter([algorithm]), kid)?;
        let hash = match algorithm {
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        Ok(Self::new(algorithm, kid, PrivateKey::Hmac(Box::new(hmac::Key::new(hash, secret)))))
    }

    fn new(algorithm: Algorithm, kid: Option<&str>, key: PrivateKey) -> Self {
        let jwk = key.public_members().map(|members| {
            let jwk = Jwk { kid: None, algorithm, members };
            let kid = kid.map_or_else(|| jwk.thumbprint().to_string().into(), Into::into);
            Jwk { kid: Some(kid), ..jwk }
        });
        let kid = jwk.as_ref().and_then(|jwk| jwk.kid.clone()).or_else(|| kid.map(Into::into));
        Self { algorithm, kid, jwk, key }
    }

    /// The private key in PKCS#8 (RFC 5958) DER, wiped when dropped.
    ///
    /// # Errors
    /// [`SigningKeyError::AlgorithmMismatch`] for an HMAC secret, which has no such form.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        let der = match &self.key {
            PrivateKey::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            PrivateKey::Ed25519(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            PrivateKey::Hmac(_) => return Err(SigningKeyError::AlgorithmMismatch),
            PrivateKey::Rsa(pair, _) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| der.as_ref().to_vec())
            }
        };
        der.map(Zeroizing::new).map_err(|_| SigningKeyError::Pkcs8)
    }

    fn sign_now(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = ignored_random();
        match &self.key {
            PrivateKey::Ecdsa(pair) => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec())
            }
            PrivateKey::Ed25519(pair) => pair.try_sign(message).map(|signature| signature.as_ref().to_vec()),
            PrivateKey::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            PrivateKey::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_| SignError::Failed)
    }
}

impl Signer for LocalSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    fn public_jwk(&self) -> Option<&Jwk> {
        self.jwk.as_ref()
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signature<'a> {
        Box::pin(std::future::ready(self.sign_now(message)))
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl PrivateKey {
    fn public_members(&self) -> Option<PublicMembers> {
        match self {
            Self::Ecdsa(pair) => {
                // An uncompressed point: 4, then X and Y at equal length (SEC 1 §2.3.3).
                let (_, coordinates) = pair.public_key().as_ref().split_at_checked(1)?;
                let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
                let crv = match coordinates.len() {
                    64 => "P-256",
                    96 => "P-384",
                    _ => "P-521",
                };
                Some(PublicMembers::Ec { crv, x: base64url::encode(x), y: base64url::encode(y) })
            }
            Self::Ed25519(pair) => {
                Some(PublicMembers::Okp { crv: "Ed25519", x: base64url::encode(pair.public_key().as_ref()) })
            }
            Self::Hmac(_) => None,
            Self::Rsa(pair, _) => {
                let public = pair.public_key();
                Some(PublicMembers::Rsa {
                    n: base64url::encode(public.modulus().big_endian_without_leading_zero()),
                    e: base64url::encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
        }
    }
}

/// What aws-lc-rs takes for ring's sake and never reads: signing draws from aws-lc's own generator.
#[expect(clippy::disallowed_methods, reason = "an argument that aws-lc-rs ignores")]
fn ignored_random() -> SystemRandom {
    SystemRandom::new()
}

fn ecdsa(algorithm: Algorithm) -> Result<&'static EcdsaSigningAlgorithm, SigningKeyError> {
    match algorithm {
        Algorithm::Es256 => Ok(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Ok(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => Ok(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => Err(SigningKeyError::AlgorithmMismatch),
    }
}

fn rsa_encoding(algorithm: Algorithm) -> Result<&'static dyn RsaEncoding, SigningKeyError> {
    match algorithm {
        Algorithm::Ps256 => Ok(&signature::RSA_PSS_SHA256),
        Algorithm::Ps384 => Ok(&signature::RSA_PSS_SHA384),
        Algorithm::Ps512 => Ok(&signature::RSA_PSS_SHA512),
        Algorithm::Rs256 => Ok(&signature::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Ok(&signature::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Ok(&signature::RSA_PKCS1_SHA512),
        _ => Err(SigningKeyError::AlgorithmMismatch),
    }
}
