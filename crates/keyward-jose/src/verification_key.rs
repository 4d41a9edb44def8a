//! A key that checks signatures: parsed once, and only for the algorithms that it may serve.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents,
};
use aws_lc_rs::{constant_time, hmac};

use crate::jwk::{PublicMembers, RawJwk};
use crate::small_order::is_small_order;
use crate::{
    Algorithm, AlgorithmSet, KeyType, MalformedWrapping, SignatureError, Thumbprint, UnusableKey, Wrapping,
    base64url, roca,
};

/// A key that can check signatures.
///
/// It holds one parsed check for each algorithm that it may serve, and nothing by which it could serve
/// another: a public key has no HMAC check, whatever a token's header says.
pub struct VerificationKey {
    kid: Option<Box<str>>,
    key_type: KeyType,
    bits: usize,
    thumbprint: Option<Thumbprint>,
    checks: Box<[(Algorithm, Check)]>,
    wrapping: Option<Box<Result<Wrapping, MalformedWrapping>>>,
}

enum Check {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

impl VerificationKey {
    /// A public key from one JWK, `{"kty": …}` as JSON text.
    ///
    /// Its algorithms are those of its `kty` and `crv`, narrowed by `alg`.
    ///
    /// # Errors
    /// [`UnusableKey`], for one of the reasons that RFC 7517 §4 and RFC 7518 §6 give, or because the key is
    /// weak.
    pub fn from_jwk(json: &[u8]) -> Result<Self, UnusableKey> {
        Self::from_raw(&RawJwk::parse(json)?)
    }

    pub(crate) fn from_raw(jwk: &RawJwk<'_>) -> Result<Self, UnusableKey> {
        Self::serving(jwk, AlgorithmSet::asymmetric())
    }

    /// One that serves no algorithm but those of `wanted`: a check that nobody will ask for is not made.
    pub(crate) fn serving(jwk: &RawJwk<'_>, wanted: AlgorithmSet) -> Result<Self, UnusableKey> {
        let key_type = match required(&jwk.kty, "kty")? {
            "EC" => KeyType::Ec,
            "OKP" => KeyType::Okp,
            "RSA" => KeyType::Rsa,
            "oct" => return Err(UnusableKey::SymmetricInPublicSet),
            _ => return Err(UnusableKey::TypeUnsupported),
        };
        if jwk.has_private_members() {
            return Err(UnusableKey::PrivateMembers);
        }
        check_purpose(jwk)?;
        let public = match key_type {
            KeyType::Ec => parse_ec(jwk)?,
            KeyType::Okp => parse_okp(jwk)?,
            _ => parse_rsa(jwk, wanted)?,
        };
        Ok(Self {
            kid: jwk.kid.as_deref().map(Into::into),
            key_type,
            bits: public.bits,
            thumbprint: Some(Thumbprint::of(&public.members)),
            checks: narrow(public.checks, jwk.alg.as_deref())?,
            wrapping: Wrapping::of(jwk).map(Box::new),
        })
    }

    /// A secret for HMAC, for those of HS256, HS384 and HS512 that are in `algorithms`.
    ///
    /// # Errors
    /// [`UnusableKey::SecretTooShort`] where it is shorter than the largest hash asked for (RFC 7518 §3.2),
    /// [`UnusableKey::AlgorithmUnsupported`] where `algorithms` holds none or another.
    pub fn from_secret(
        secret: &[u8],
        algorithms: AlgorithmSet,
        kid: Option<&str>,
    ) -> Result<Self, UnusableKey> {
        let checks = algorithms
            .iter()
            .map(|algorithm| {
                let hash = hmac_hash(algorithm).ok_or(UnusableKey::AlgorithmUnsupported)?;
                if secret.len() < hash.digest_algorithm().output_len() {
                    return Err(UnusableKey::SecretTooShort);
                }
                Ok((algorithm, Check::Secret(Box::new(hmac::Key::new(hash, secret)))))
            })
            .collect::<Result<Box<[_]>, _>>()?;
        if checks.is_empty() {
            return Err(UnusableKey::AlgorithmUnsupported);
        }
        let bits = secret.len() * 8;
        let kid = kid.map(Into::into);
        Ok(Self { kid, key_type: KeyType::Oct, bits, thumbprint: None, checks, wrapping: None })
    }

    /// Checks `signature` over `message`.
    ///
    /// # Errors
    /// [`SignatureError::AlgorithmMismatch`] where the key does not serve `algorithm`, otherwise
    /// [`SignatureError::Invalid`].
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let (_, check) = self
            .checks
            .iter()
            .find(|(served, _)| *served == algorithm)
            .ok_or(SignatureError::AlgorithmMismatch)?;
        match check {
            Check::Public(key) => key.verify_sig(message, signature).map_err(|_| SignatureError::Invalid),
            Check::Secret(key) => {
                let tag = hmac::sign(key, message);
                constant_time::verify_slices_are_equal(tag.as_ref(), signature)
                    .map_err(|_| SignatureError::Invalid)
            }
        }
    }

    /// `kid`, where the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `kty`.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The size in bits: of the modulus, the curve or the secret.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The RFC 7638 thumbprint; none for a secret, which a hash could give away.
    pub fn thumbprint(&self) -> Option<Thumbprint> {
        self.thumbprint
    }

    /// What its JWK says of the X.509 certificate around it (RFC 7517 §4.7 to §4.9), where it says anything. It has
    /// no part in checking signatures.
    pub fn wrapping(&self) -> Option<Result<&Wrapping, MalformedWrapping>> {
        self.wrapping.as_deref().map(|wrapping| wrapping.as_ref().map_err(|malformed| *malformed))
    }

    /// The key as a SubjectPublicKeyInfo in DER, as a certificate of it holds it (RFC 5280 §4.1.2.7); none for a
    /// secret.
    pub fn spki(&self) -> Option<Vec<u8>> {
        self.checks.iter().find_map(|(_, check)| match check {
            Check::Public(key) => {
                let der = AsDer::<PublicKeyX509Der<'_>>::as_der(key).ok()?;
                Some(der.as_ref().to_vec())
            }
            Check::Secret(_) => None,
        })
    }

    /// Whether the key serves `algorithm`.
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.checks.iter().any(|(served, _)| *served == algorithm)
    }

    /// The algorithms that the key serves.
    pub fn algorithms(&self) -> AlgorithmSet {
        self.checks.iter().map(|(algorithm, _)| *algorithm).collect()
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("kid", &self.kid)
            .field("key_type", &self.key_type)
            .field("bits", &self.bits)
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

/// A public key in every form that its JWK gave: its members, and a check for each algorithm it could serve.
struct PublicKey {
    members: PublicMembers,
    bits: usize,
    checks: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The checks, narrowed to the JWK's `alg` where it names one.
fn narrow(
    checks: Vec<(Algorithm, ParsedPublicKey)>,
    alg: Option<&str>,
) -> Result<Box<[(Algorithm, Check)]>, UnusableKey> {
    let named = match alg {
        Some(name) => Some(Algorithm::from_name(name).ok_or(UnusableKey::AlgorithmUnsupported)?),
        None => None,
    };
    let checks: Box<[_]> = checks
        .into_iter()
        .filter(|(algorithm, _)| named.is_none_or(|named| named == *algorithm))
        .map(|(algorithm, key)| (algorithm, Check::Public(key)))
        .collect();
    if checks.is_empty() { Err(UnusableKey::AlgorithmUnsupported) } else { Ok(checks) }
}

/// `use` must be `sig` and `key_ops` must hold `verify`, where they are there (RFC 7517 §4.2, §4.3).
fn check_purpose(jwk: &RawJwk<'_>) -> Result<(), UnusableKey> {
    let use_allows = jwk.public_key_use.as_deref().is_none_or(|purpose| purpose == "sig");
    let ops_allow = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if use_allows && ops_allow { Ok(()) } else { Err(UnusableKey::NotForVerification) }
}

pub(crate) struct Curve {
    pub(crate) name: &'static str,
    algorithm: Algorithm,
    pub(crate) verification: &'static EcdsaVerificationAlgorithm,
    pub(crate) bits: usize,
}

pub(crate) const CURVES: [Curve; 3] = [
    Curve {
        name: "P-256",
        algorithm: Algorithm::Es256,
        verification: &signature::ECDSA_P256_SHA256_FIXED,
        bits: 256,
    },
    Curve {
        name: "P-384",
        algorithm: Algorithm::Es384,
        verification: &signature::ECDSA_P384_SHA384_FIXED,
        bits: 384,
    },
    Curve {
        name: "P-521",
        algorithm: Algorithm::Es512,
        verification: &signature::ECDSA_P521_SHA512_FIXED,
        bits: 521,
    },
];

fn parse_ec(jwk: &RawJwk<'_>) -> Result<PublicKey, UnusableKey> {
    let crv = required(&jwk.crv, "crv")?;
    let curve = CURVES.iter().find(|curve| curve.name == crv).ok_or(UnusableKey::CurveUnsupported)?;
    let octets = curve.bits.div_ceil(8);
    // An uncompressed point: 4, then both coordinates (SEC 1 §2.3.3).
    let mut point = Vec::with_capacity(1 + 2 * octets);
    point.push(4);
    let x = append_coordinate(&jwk.x, "x", &mut point)?;
    let is_x_whole = point.len() == 1 + octets;
    let y = append_coordinate(&jwk.y, "y", &mut point)?;
    if !is_x_whole || point.len() != 1 + 2 * octets {
        return Err(UnusableKey::PointInvalid);
    }
    let key = ParsedPublicKey::new(curve.verification, point).map_err(|_| UnusableKey::PointInvalid)?;
    Ok(PublicKey {
        members: PublicMembers::Ec { crv: curve.name, x: x.to_owned(), y: y.to_owned() },
        bits: curve.bits,
        checks: vec![(curve.algorithm, key)],
    })
}

/// Hands back its text, which is the only one for these octets.
fn append_coordinate<'a>(
    member: &'a Option<Cow<'_, str>>,
    name: &'static str,
    point: &mut Vec<u8>,
) -> Result<&'a str, UnusableKey> {
    let text = required(member, name)?;
    base64url::decode_append(text.as_bytes(), point)
        .map_err(|_| UnusableKey::BadBase64Url { member: name })?;
    Ok(text)
}

fn parse_okp(jwk: &RawJwk<'_>) -> Result<PublicKey, UnusableKey> {
    if required(&jwk.crv, "crv")? != "Ed25519" {
        return Err(UnusableKey::CurveUnsupported);
    }
    let x = decode_member(&jwk.x, "x")?;
    if <&[u8; 32]>::try_from(x.as_slice()).map_or(true, is_small_order) {
        return Err(UnusableKey::PointInvalid);
    }
    let key = ParsedPublicKey::new(&signature::ED25519, &x).map_err(|_| UnusableKey::PointInvalid)?;
    Ok(PublicKey {
        members: PublicMembers::Okp { crv: "Ed25519", x: base64url::encode(&x) },
        bits: 256,
        checks: vec![(Algorithm::EdDsa, key)],
    })
}

const RSA: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
    (Algorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
    (Algorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
];

fn parse_rsa(jwk: &RawJwk<'_>, wanted: AlgorithmSet) -> Result<PublicKey, UnusableKey> {
    let n = decode_member(&jwk.n, "n")?;
    let e = decode_member(&jwk.e, "e")?;
    // A leading zero octet is against RFC 7518 §6.3.1.1, common, and changes nothing: it is left out.
    let (n, e) = (without_leading_zeros(&n), without_leading_zeros(&e));
    let bits = bit_length(n);
    if !(2048..=8192).contains(&bits) {
        return Err(UnusableKey::ModulusSize { bits });
    }
    if !is_odd(n) {
        return Err(UnusableKey::ModulusEven);
    }
    if !is_sound_exponent(e) {
        return Err(UnusableKey::ExponentInvalid);
    }
    if roca::is_roca_modulus(n) {
        return Err(UnusableKey::RocaModulus);
    }
    let components = RsaPublicKeyComponents { n, e };
    let checks = RSA
        .into_iter()
        .filter(|(algorithm, _)| wanted.contains(*algorithm))
        .map(|(algorithm, parameters)| {
            let key = components.to_parsed_public_key(parameters).map_err(|_| UnusableKey::Malformed)?;
            Ok((algorithm, key))
        })
        .collect::<Result<_, _>>()?;
    Ok(PublicKey {
        members: PublicMembers::Rsa { n: base64url::encode(n), e: base64url::encode(e) },
        bits,
        checks,
    })
}

/// Odd, at least 3, and at most 33 bits, which is as far as aws-lc goes.
fn is_sound_exponent(e: &[u8]) -> bool {
    is_odd(e) && e != [1] && bit_length(e) <= 33
}

fn is_odd(magnitude: &[u8]) -> bool {
    magnitude.last().is_some_and(|last| last & 1 == 1)
}

fn bit_length(magnitude: &[u8]) -> usize {
    magnitude.first().map_or(0, |first| magnitude.len() * 8 - first.leading_zeros() as usize)
}

fn without_leading_zeros(mut magnitude: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = magnitude {
        magnitude = rest;
    }
    magnitude
}

fn required<'a>(member: &'a Option<Cow<'_, str>>, name: &'static str) -> Result<&'a str, UnusableKey> {
    member.as_deref().ok_or(UnusableKey::MemberMissing { member: name })
}

fn decode_member(member: &Option<Cow<'_, str>>, name: &'static str) -> Result<Vec<u8>, UnusableKey> {
    base64url::decode(required(member, name)?.as_bytes())
        .map_err(|_| UnusableKey::BadBase64Url { member: name })
}

fn hmac_hash(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}
