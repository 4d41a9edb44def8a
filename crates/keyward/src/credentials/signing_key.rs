//! A private key of ours, in whichever form it was given.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use base64_simd::URL_SAFE_NO_PAD;
use keyward_jose::json::check_unique_names;
use keyward_jose::{Algorithm, Jwk, LocalSigner, Signature, Signer, SigningKeyError, UnusableKey};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::CredentialFault;

/// A key that signs assertions of ours. Its assertions name its `kid` only where somebody named it: a provider
/// finds a key by the name that it has there, and looks for none where there is no name.
pub struct SigningKey {
    signer: LocalSigner,
    kid: Option<Box<str>>,
}

/// What the configuration says of a key, over what its file says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) kid: Option<&'a str>,
    pub(super) algorithm: Option<Algorithm>,
}

/// One for each kind of key, with the algorithm that it signs with where nobody says otherwise.
const KINDS: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];

impl SigningKey {
    /// PKCS#8 (RFC 5958).
    pub(super) fn from_pkcs8(der: &[u8], wanted: Wanted<'_>) -> Result<Self, CredentialFault> {
        let made = |algorithm| LocalSigner::from_pkcs8(algorithm, None, der);
        // Which kind it is stands in its octets, so that no more than one of them takes it.
        let signer = KINDS.into_iter().map(made).find(|made| !matches!(made, Err(SigningKeyError::Pkcs8)));
        let signer = match (signer.unwrap_or(Err(SigningKeyError::Pkcs8))?, wanted.algorithm) {
            (signer, Some(algorithm)) if signer.algorithm() != algorithm => match made(algorithm) {
                Err(SigningKeyError::Pkcs8) => return Err(CredentialFault::AlgorithmMismatch),
                other => other?,
            },
            (signer, _) => signer,
        };
        Ok(Self { signer, kid: wanted.kid.map(Into::into) })
    }

    /// `RSAPrivateKey` (RFC 8017 appendix A.1.2).
    pub(super) fn from_pkcs1(der: &[u8], wanted: Wanted<'_>) -> Result<Self, CredentialFault> {
        let pair = RsaKeyPair::from_der(der).map_err(|_| malformed())?;
        Self::from_pkcs8(&rsa_pkcs8(&pair)?, wanted)
    }

    /// `ECPrivateKey` (RFC 5915).
    pub(super) fn from_sec1(der: &[u8], wanted: Wanted<'_>) -> Result<Self, CredentialFault> {
        let pairs = CURVES.into_iter().map(|(_, _, curve)| EcdsaKeyPair::from_private_key_der(curve, der));
        let pair = pairs.flatten().next().ok_or_else(malformed)?;
        Self::from_pkcs8(&ec_pkcs8(&pair)?, wanted)
    }

    /// A private JWK (RFC 7517, RFC 7518 §6, RFC 8037 §2). Its `kid` and `alg` count where nothing else is wanted.
    pub(super) fn from_jwk(json: &[u8], wanted: Wanted<'_>) -> Result<Self, CredentialFault> {
        let malformed = || CredentialFault::Malformed("JWK");
        check_unique_names(json).map_err(|_| malformed())?;
        let jwk: PrivateJwk = serde_json::from_slice(json).map_err(|_| malformed())?;
        if jwk.public_key_use.as_deref().is_some_and(|purpose| purpose != "sig")
            || jwk.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "sign"))
        {
            return Err(CredentialFault::NotForSigning);
        }
        let named =
            jwk.alg.as_deref().map(|alg| Algorithm::from_name(alg).ok_or(CredentialFault::AlgorithmMismatch));
        let algorithm = named.transpose()?;
        if wanted.algorithm.is_some() && algorithm.is_some() && wanted.algorithm != algorithm {
            return Err(CredentialFault::AlgorithmMismatch);
        }
        let wanted =
            Wanted { kid: wanted.kid.or(jwk.kid.as_deref()), algorithm: wanted.algorithm.or(algorithm) };
        Self::from_pkcs8(&jwk.to_pkcs8()?, wanted)
    }
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.signer.algorithm()
    }

    fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    fn public_jwk(&self) -> Option<&Jwk> {
        self.signer.public_jwk()
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signature<'a> {
        self.signer.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// The members of a private key that we look at. Multi-prime RSA (`oth`) is not.
#[derive(Deserialize)]
struct PrivateJwk {
    kty: Member,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    public_key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<Member>,
    x: Option<Member>,
    y: Option<Member>,
    n: Option<Member>,
    e: Option<Member>,
    d: Option<Member>,
    p: Option<Member>,
    q: Option<Member>,
    dp: Option<Member>,
    dq: Option<Member>,
    qi: Option<Member>,
}

/// A text that is wiped when dropped.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Member(pub(super) String);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PrivateJwk {
    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CredentialFault> {
        let d = octets("d", &self.d).map_err(|fault| match fault {
            // The public half alone is what people have at hand.
            CredentialFault::MissingMember(_) => CredentialFault::NoKey,
            other => other,
        })?;
        let crv = self.crv.as_ref().map(|crv| crv.0.as_str());
        match (self.kty.0.as_str(), crv) {
            ("RSA", _) => {
                let components = KeyPairComponents {
                    public_key: PublicKeyComponents { n: octets("n", &self.n)?, e: octets("e", &self.e)? },
                    d,
                    p: octets("p", &self.p)?,
                    q: octets("q", &self.q)?,
                    dP: octets("dp", &self.dp)?,
                    dQ: octets("dq", &self.dq)?,
                    qInv: octets("qi", &self.qi)?,
                };
                rsa_pkcs8(&RsaKeyPair::from_components(&components).map_err(|_| malformed())?)
            }
            ("EC", Some(crv)) => {
                let unsupported = || CredentialFault::KeyUnusable(UnusableKey::CurveUnsupported);
                let (_, length, curve) =
                    CURVES.into_iter().find(|(name, ..)| *name == crv).ok_or_else(unsupported)?;
                let (x, y) = (octets("x", &self.x)?, octets("y", &self.y)?);
                if [&d, &x, &y].iter().any(|coordinate| coordinate.len() != length) {
                    return Err(malformed());
                }
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, &d, &point);
                ec_pkcs8(&pair.map_err(|_| malformed())?)
            }
            ("OKP", Some("Ed25519")) => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &octets("x", &self.x)?);
                let der = pair.map_err(|_| malformed())?.to_pkcs8v1().map_err(|_| malformed())?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
            ("OKP" | "EC", _) => Err(CredentialFault::KeyUnusable(UnusableKey::CurveUnsupported)),
            _ => Err(CredentialFault::KeyUnusable(UnusableKey::TypeUnsupported)),
        }
    }
}

/// The curves by name, with the length of a coordinate (RFC 7518 §6.2.1).
const CURVES: [(&str, usize, &EcdsaSigningAlgorithm); 3] = [
    ("P-256", 32, &ECDSA_P256_SHA256_FIXED_SIGNING),
    ("P-384", 48, &ECDSA_P384_SHA384_FIXED_SIGNING),
    ("P-521", 66, &ECDSA_P521_SHA512_FIXED_SIGNING),
];

fn octets(name: &'static str, member: &Option<Member>) -> Result<Zeroizing<Vec<u8>>, CredentialFault> {
    let text = member.as_ref().ok_or(CredentialFault::MissingMember(name))?;
    let octets = URL_SAFE_NO_PAD.decode_to_vec(&text.0).map_err(|_| CredentialFault::Malformed("JWK"))?;
    Ok(Zeroizing::new(octets))
}

fn rsa_pkcs8(pair: &RsaKeyPair) -> Result<Zeroizing<Vec<u8>>, CredentialFault> {
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(|_| malformed())?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

fn ec_pkcs8(pair: &EcdsaKeyPair) -> Result<Zeroizing<Vec<u8>>, CredentialFault> {
    let der = pair.to_pkcs8v1().map_err(|_| malformed())?;
    Ok(Zeroizing::new(der.as_ref().to_vec()))
}

fn malformed() -> CredentialFault {
    CredentialFault::Malformed("private key")
}
