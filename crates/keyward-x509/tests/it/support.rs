//! Parties with a name and a key, and the certificates that they make for each other.

use std::sync::LazyLock;

use keyward_x509::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData,
};
use time::OffsetDateTime;

/// 2026-11-21T04:00:00Z, when the tests look.
pub(crate) const NOW: i64 = 1_795_233_600;
pub(crate) const DAY: i64 = 86_400;

/// Somebody with a name and a key.
pub(crate) struct Party {
    name: String,
    pub(crate) key: KeyPair,
}

impl Party {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { name: name.to_owned(), key }
    }

    /// The SubjectPublicKeyInfo of the key.
    pub(crate) fn spki(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// A CA's certificate by its own key.
    pub(crate) fn root(&self) -> Certificate {
        self.ca_by(self)
    }

    pub(crate) fn root_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Certificate {
        self.ca_by_with(self, change)
    }

    /// A CA's certificate by `issuer`.
    pub(crate) fn ca_by(&self, issuer: &Party) -> Certificate {
        self.ca_by_with(issuer, |_| {})
    }

    pub(crate) fn ca_by_with(
        &self,
        issuer: &Party,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        self.certificate_by(issuer, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            change(params);
        })
    }

    /// A leaf for a TLS client or server by `issuer`.
    pub(crate) fn leaf_by(&self, issuer: &Party) -> Certificate {
        self.leaf_by_with(issuer, |_| {})
    }

    pub(crate) fn leaf_by_with(
        &self,
        issuer: &Party,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        self.certificate_by(issuer, |params| {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
            change(params);
        })
    }

    /// A certificate without any extension but what `change` adds.
    pub(crate) fn certificate_by(
        &self,
        issuer: &Party,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Certificate {
        let mut params = self.params();
        change(&mut params);
        let made = params.signed_by(&self.key, &issuer.issuer()).unwrap();
        Certificate::from_der(made.der()).unwrap()
    }

    pub(crate) fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.name.clone());
        valid(&mut params, NOW - 30 * DAY, NOW + 30 * DAY);
        params
    }

    pub(crate) fn issuer(&self) -> Issuer<'_, &KeyPair> {
        let mut params = self.params();
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Issuer::new(params, &self.key)
    }
}

pub(crate) fn valid(params: &mut CertificateParams, not_before: i64, not_after: i64) {
    params.not_before = time(not_before);
    params.not_after = time(not_after);
}

pub(crate) fn time(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// The certificate as PEM.
pub(crate) fn pem(certificate: &Certificate) -> String {
    pem_of("CERTIFICATE", certificate.der())
}

/// A section of PEM, as RFC 7468 §2 writes it.
pub(crate) fn pem_of(label: &str, der: &[u8]) -> String {
    let base64 = base64(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let bits =
            chunk.iter().fold(0, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// A root, a signer under it and a leaf of that, which are all good.
pub(crate) struct Family {
    pub(crate) root_party: Party,
    pub(crate) signer_party: Party,
    pub(crate) leaf_party: Party,
    pub(crate) root: Certificate,
    pub(crate) signer: Certificate,
    pub(crate) leaf: Certificate,
}

/// The one that most tests start from.
pub(crate) static FAMILY: LazyLock<Family> = LazyLock::new(|| {
    let (root_party, signer_party, leaf_party) =
        (Party::new("Root"), Party::new("Signer"), Party::new("leaf"));
    Family {
        root: root_party.root(),
        signer: signer_party.ca_by(&root_party),
        leaf: leaf_party.leaf_by(&signer_party),
        root_party,
        signer_party,
        leaf_party,
    }
});
