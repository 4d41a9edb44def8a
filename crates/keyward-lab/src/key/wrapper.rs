//! The X.509 certificate around a key, as `x5c` shows it (RFC 7517 §4.7).

use std::time::Duration;

use rcgen::{CertificateParams, DnType, KeyPair, SignatureAlgorithm, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::authority::since_1970;
use crate::clock::seconds;
use crate::plan::{Algorithm, KeyPlan};

/// The DER of a certificate of the key with itself, valid from a day ago.
pub(super) fn self_signed(plan: &KeyPlan, pkcs8: &[u8], wall: i64, lifetime: Duration) -> Option<Vec<u8>> {
    let key = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(pkcs8),
        signature_algorithm(plan.algorithm),
    )
    .ok()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, plan.kid.as_str());
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(wall.saturating_sub(86_400));
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(wall.saturating_add(seconds(lifetime)));
    Some(params.self_signed(&key).ok()?.der().to_vec())
}

/// What the certificate is signed with: RFC 5280 has no say in what its key signs.
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
