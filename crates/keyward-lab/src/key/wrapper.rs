//! The X.509 certificate around a key, as its JWK shows it (RFC 7517 §4.7 to §4.9).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber, SignatureAlgorithm, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Map, Value, json};

use super::{KeyGeneration, LabKey};
use crate::authority::since_1970;
use crate::issuer::Shared;
use crate::jws::base64url;
use crate::plan::{Algorithm, WrapperDefect, WrapperPlan, WrapperSigner};

const DAY: i64 = 86_400;

/// For how long a certificate is valid where its plan does not say.
const YEAR: i64 = 365 * DAY;

/// The members of a JWK that show a certificate. It is made for one key; the key knows nothing of it.
#[derive(Clone, Debug)]
pub(crate) struct Wrapper {
    members: Map<String, Value>,
    /// Its last second; none where there is no certificate to read.
    not_after: Option<i64>,
}

impl Wrapper {
    /// A new one around `key`, with a serial number of its own.
    pub(crate) fn new(key: &LabKey, plan: &WrapperPlan, shared: &Shared) -> Result<Self, KeyGeneration> {
        let wall = shared.clock.wall();
        let not_after = wall.saturating_add(plan.not_after.map_or(YEAR, |from_now| from_now.0));
        let not_before = match plan.not_before {
            Some(from_now) => wall.saturating_add(from_now.0),
            None => wall.saturating_sub(DAY).min(not_after.saturating_sub(YEAR)),
        };
        let x5c = |text: &str| Map::from_iter([("x5c".to_owned(), json!([text]))]);
        let certificate = match plan.defect {
            Some(WrapperDefect::NoBase64) => {
                return Ok(Self { members: x5c("this is no Base64"), not_after: None });
            }
            Some(WrapperDefect::NoCertificate) => {
                let junk = base64_simd::STANDARD.encode_to_string(b"this is no certificate");
                return Ok(Self { members: x5c(&junk), not_after: None });
            }
            Some(WrapperDefect::OtherKey) => {
                let other = KeyPair::generate().map_err(|_| KeyGeneration)?;
                certificate(key, &other, plan.signed_by, (not_before, not_after), shared)
            }
            Some(WrapperDefect::OtherThumbprint) | None => {
                let own = key_pair(key).ok_or(KeyGeneration)?;
                certificate(key, &own, plan.signed_by, (not_before, not_after), shared)
            }
        };
        let certificate = certificate.map_err(|_| KeyGeneration)?;
        let mut members = x5c(&base64_simd::STANDARD.encode_to_string(&certificate));
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        let sha256 = match plan.defect {
            Some(WrapperDefect::OtherThumbprint) => shared.random.octets(SHA256.output_len()),
            _ => digest(&SHA256, &certificate).as_ref().to_vec(),
        };
        members.insert("x5t".to_owned(), base64url(sha1.as_ref()).into());
        members.insert("x5t#S256".to_owned(), base64url(&sha256).into());
        Ok(Self { members, not_after: Some(not_after) })
    }

    /// Whether it is over (RFC 5280 §4.1.2.5).
    pub(super) fn is_over(&self, wall: i64) -> bool {
        self.not_after.is_some_and(|not_after| wall > not_after)
    }

    /// The JWK with it.
    pub(super) fn around(&self, jwk: &Value) -> Value {
        let mut jwk = jwk.clone();
        if let Some(members) = jwk.as_object_mut() {
            members.extend(self.members.clone());
        }
        jwk
    }
}

/// A certificate of `pair` that says that it is `key`'s.
fn certificate(
    key: &LabKey,
    pair: &KeyPair,
    signer: WrapperSigner,
    (not_before, not_after): (i64, i64),
    shared: &Shared,
) -> Result<CertificateDer<'static>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, key.name.as_str());
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(not_before);
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(not_after);
    // Else rcgen makes it from the key, and a renewed one would have that of the one before.
    params.serial_number = Some(SerialNumber::from(shared.random.number() >> 1));
    match signer {
        WrapperSigner::Authority => shared.authority.sign(&params, pair),
        WrapperSigner::Itself => Ok(params.self_signed(pair)?.into()),
    }
}

/// The key as rcgen takes it.
fn key_pair(key: &LabKey) -> Option<KeyPair> {
    let pkcs8 = PrivatePkcs8KeyDer::from(key.pkcs8().ok()?);
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, signature_algorithm(key.algorithm)).ok()
}

/// What a certificate of its own is signed with: RFC 5280 has no say in what its key signs.
fn signature_algorithm(algorithm: Algorithm) -> &'static SignatureAlgorithm {
    match algorithm {
        Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Algorithm::ES512 => &rcgen::PKCS_ECDSA_P521_SHA512,
        Algorithm::EdDSA => &rcgen::PKCS_ED25519,
        Algorithm::PS256 | Algorithm::RS256 => &rcgen::PKCS_RSA_SHA256,
        Algorithm::PS384 | Algorithm::RS384 => &rcgen::PKCS_RSA_SHA384,
        Algorithm::PS512 | Algorithm::RS512 => &rcgen::PKCS_RSA_SHA512,
    }
}
