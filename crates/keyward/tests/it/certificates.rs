//! Certificates for keys, and authorities that issue them.

use std::time::Duration;

use keyward_jose::{LocalSigner, Signer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SignatureAlgorithm,
    date_time_ymd,
};

use crate::support::START;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

const DAY: i64 = 86_400;

/// A trust anchor, where it is declared as one.
pub(crate) fn authority(name: &str) -> Authority {
    self_signed_authority(params(name, START - 1000 * DAY, START + 1000 * DAY))
}

/// One that was an anchor until a while ago.
pub(crate) fn authority_over(name: &str) -> Authority {
    self_signed_authority(params(name, START - 1000 * DAY, START - DAY))
}

fn self_signed_authority(mut params: CertificateParams) -> Authority {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of the key with itself, from the first to the second time, both within.
pub(crate) fn self_signed(signer: &LocalSigner, from: i64, until: i64) -> Vec<u8> {
    params(signer.kid().unwrap(), from, until).self_signed(&pair(signer)).unwrap().der().to_vec()
}

pub(crate) fn issued(signer: &LocalSigner, from: i64, until: i64, by: &Authority) -> Vec<u8> {
    params(signer.kid().unwrap(), from, until).signed_by(&pair(signer), by).unwrap().der().to_vec()
}

fn params(name: &str, from: i64, until: i64) -> CertificateParams {
    let time = |wall: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(wall.unsigned_abs());
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (time(from), time(until));
    params
}

fn pair(signer: &LocalSigner) -> KeyPair {
    let der = signer.to_pkcs8().unwrap();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), signature(signer)).unwrap()
}

fn signature(signer: &LocalSigner) -> &'static SignatureAlgorithm {
    match signer.algorithm() {
        keyward::Algorithm::EdDsa => &rcgen::PKCS_ED25519,
        keyward::Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        _ => &rcgen::PKCS_RSA_SHA256,
    }
}
