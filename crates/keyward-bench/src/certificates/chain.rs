//! A chain of a leaf, one intermediate and an anchor, for a TLS client: against rustls-webpki, which is given the same
//! octets, anchor, time and purpose.

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyward_x509::{Certificate, Purpose, Revocation, TrustStore};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SignatureAlgorithm,
};
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::EndEntityCert;

use crate::Failure;
use crate::interleave::Timed;
use crate::row::Rows;

/// The most that a chain may cost, against bare rustls-webpki.
const MOST: f64 = 1.1;

pub(super) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    measure_one(rows, "es256", &rcgen::PKCS_ECDSA_P256_SHA256)?;
    measure_one(rows, "rs256", &rcgen::PKCS_RSA_SHA256)
}

fn measure_one(rows: &mut Rows, name: &str, algorithm: &'static SignatureAlgorithm) -> Result<(), Failure> {
    let chain = Chain::new(algorithm)?;
    if !(chain.is_verified() && chain.is_read_and_verified() && chain.is_verified_by_webpki()) {
        return Err(format!("the chain of {name} is not verified by both").into());
    }
    let timed = Timed::run(&mut [
        &mut || {
            black_box(chain.is_verified());
        },
        &mut || {
            black_box(chain.is_read_and_verified());
        },
        &mut || {
            black_box(chain.is_verified_by_webpki());
        },
    ]);
    let times = |of| format!("  ({:.2} µs to {:.2} µs)", timed.micros(of), timed.micros(2));
    rows.at_most(&format!("certificates-chain-{name}-to-webpki"), timed.ratio(0, 2), MOST, &times(0));
    let from_der = format!("{:.3}{}", timed.ratio(1, 2), times(1));
    rows.told(&format!("certificates-chain-{name}-from-der-to-webpki"), from_der);
    Ok(())
}

/// A chain, and the anchor that it leads to.
pub(crate) struct Chain {
    store: TrustStore,
    read: [Certificate; 2],
    anchors: [TrustAnchor<'static>; 1],
    leaf: CertificateDer<'static>,
    intermediates: [CertificateDer<'static>; 1],
    now: Duration,
}

impl Chain {
    /// All of whose keys and signatures are of this kind.
    pub(crate) fn new(algorithm: &'static SignatureAlgorithm) -> Result<Self, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let root = CertifiedIssuer::self_signed(authority("Bench Root"), KeyPair::generate_for(algorithm)?)?;
        let intermediate =
            CertifiedIssuer::signed_by(authority("Bench CA 1"), KeyPair::generate_for(algorithm)?, &root)?;
        let leaf = leaf()?.signed_by(&KeyPair::generate_for(algorithm)?, &intermediate)?;
        let anchor = Certificate::from_der(root.der())?;
        Ok(Self {
            store: TrustStore::builder().anchors([anchor]).build(i64::try_from(now.as_secs())?),
            read: [Certificate::from_der(leaf.der())?, Certificate::from_der(intermediate.der())?],
            anchors: [webpki::anchor_from_trusted_cert(root.der())?.to_owned()],
            leaf: leaf.der().clone(),
            intermediates: [intermediate.der().clone()],
            now,
        })
    }

    /// By us, of certificates that were read before. rustls-webpki reads them again, as it does for itself.
    fn is_verified(&self) -> bool {
        self.leads_to_an_anchor(black_box(&self.read))
    }

    /// By us, of what a peer sends: what our errors tell of a certificate is read for each.
    pub(crate) fn is_read_and_verified(&self) -> bool {
        let [intermediate] = black_box(&self.intermediates);
        let presented = [black_box(&self.leaf), intermediate].map(|der| Certificate::from_der(der));
        let [Ok(leaf), Ok(intermediate)] = presented else {
            return false;
        };
        self.leads_to_an_anchor(&[leaf, intermediate])
    }

    fn leads_to_an_anchor(&self, presented: &[Certificate]) -> bool {
        let Ok(now) = i64::try_from(self.now.as_secs()) else {
            return false;
        };
        keyward_x509::verify(&self.store, presented, Purpose::ClientAuth, now, &Revocation::none()).is_ok()
    }

    fn is_verified_by_webpki(&self) -> bool {
        let Ok(leaf) = EndEntityCert::try_from(black_box(&self.leaf)) else {
            return false;
        };
        let path = leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            black_box(&self.anchors),
            black_box(&self.intermediates),
            UnixTime::since_unix_epoch(self.now),
            webpki::KeyUsage::client_auth(),
            None,
            None,
        );
        path.is_ok()
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, "DE");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf() -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "orders");
    params.subject_alt_names = vec![
        SanType::DnsName("orders.example".try_into()?),
        SanType::URI("spiffe://example/ns/shop/sa/orders".try_into()?),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
