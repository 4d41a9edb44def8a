//! Certificates as they are delivered.

use keyward_x509::{Bundle, BundleError, BundleLimits, Certificate, CertificateError, Skipped};
use proptest::prelude::*;
use rcgen::CustomExtension;

use crate::support::*;

fn parse(octets: &[u8]) -> Result<Bundle, BundleError> {
    Bundle::parse(octets, BundleLimits::default())
}

fn all() -> [Certificate; 3] {
    [FAMILY.root.clone(), FAMILY.signer.clone(), FAMILY.leaf.clone()]
}

#[test]
fn pem_and_der_are_the_same_bundle() {
    let text: String = all().iter().map(pem).collect();
    let octets: Vec<u8> = all().iter().flat_map(|certificate| certificate.der().to_vec()).collect();
    for octets in [text.as_bytes(), text.replace('\n', "\r\n").as_bytes(), &octets] {
        let bundle = parse(octets).unwrap();
        assert_eq!(bundle.certificates, all());
        assert_eq!(bundle.skipped, []);
    }
    // Two that are alike are two.
    assert_eq!(parse(format!("{text}{text}").as_bytes()).unwrap().certificates.len(), 6);
}

#[test]
fn text_and_other_sections_are_passed_by() {
    let [root, signer, _] = all();
    let key = pem_of("PRIVATE KEY", b"secret");
    let broken = "-----BEGIN EC PARAMETERS-----\n!!!!\n-----END EC PARAMETERS-----\n";
    let text = format!("subject=/CN=Root\n{}{key}{broken}# next\n{}", pem(&root), pem(&signer));
    let bundle = parse(text.as_bytes()).unwrap();
    assert_eq!(bundle.certificates, [root, signer]);
    assert_eq!(bundle.skipped, []);
}

#[test]
fn a_broken_certificate_costs_no_other() {
    let [root, signer, leaf] = all();
    let malformed = |index| Skipped { index, reason: CertificateError::Malformed };
    let text = format!(
        "{}{}-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n{}",
        pem(&root),
        pem_of("CERTIFICATE", &signer.der()[..signer.der().len() - 1]),
        pem(&leaf)
    );
    let bundle = parse(text.as_bytes()).unwrap();
    assert_eq!(bundle.certificates, [root.clone(), leaf.clone()]);
    assert_eq!(bundle.skipped, [malformed(1), malformed(2)]);
    let trailing = pem_of("CERTIFICATE", &[leaf.der(), b"aux"].concat());
    let skipped = Skipped { index: 0, reason: CertificateError::TrailingOctets { octets: 3 } };
    assert_eq!(parse(trailing.as_bytes()).unwrap().skipped, [skipped]);
    // One that was cut off, as a copy from a terminal is.
    let cut = pem(&root);
    let bundle = parse(format!("{cut}{}", &cut[..200]).as_bytes()).unwrap();
    assert_eq!((bundle.certificates.len(), bundle.skipped), (1, vec![malformed(1)]));
    // In DER nobody knows where the next one begins.
    let bundle = parse(&[root.der(), &signer.der()[..100], leaf.der()].concat()).unwrap();
    assert_eq!((bundle.certificates.len(), bundle.skipped.len()), (1, 1));
    let bundle = parse(&[root.der(), b"xyz"].concat()).unwrap();
    assert_eq!(
        bundle.skipped,
        [Skipped { index: 1, reason: CertificateError::TrailingOctets { octets: 3 } }]
    );
}

#[test]
fn limits_are_kept() {
    let text: String = all().iter().map(pem).collect();
    for octets in ["", "text", &pem_of("PRIVATE KEY", b"secret")] {
        assert_eq!(parse(octets.as_bytes()), Err(BundleError::NoCertificate), "{octets}");
    }
    let limits = BundleLimits { octets: text.len(), certificates: 3 };
    assert_eq!(Bundle::parse(text.as_bytes(), limits).unwrap().certificates.len(), 3);
    let fewer = BundleLimits { certificates: 2, ..limits };
    assert_eq!(Bundle::parse(text.as_bytes(), fewer), Err(BundleError::TooManyCertificates { limit: 2 }));
    let der: Vec<u8> = all().iter().flat_map(|certificate| certificate.der().to_vec()).collect();
    assert_eq!(Bundle::parse(&der, fewer), Err(BundleError::TooManyCertificates { limit: 2 }));
    let smaller = BundleLimits { octets: text.len() - 1, ..limits };
    let error = BundleError::TooLarge { octets: text.len(), limit: text.len() - 1 };
    assert_eq!(Bundle::parse(text.as_bytes(), smaller), Err(error));
    // No path can hold a certificate of over 65 535 octets.
    let mut params = Party::new("large").params();
    let octets = [&[4, 0x83, 1, 0x11, 0x70][..], &[0; 70_000]].concat();
    params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999], octets));
    let large = params.signed_by(&FAMILY.leaf_party.key, &FAMILY.signer_party.issuer()).unwrap();
    let error = CertificateError::TooLarge { octets: large.der().len() };
    assert_eq!(Certificate::from_der(large.der()), Err(error));
}

proptest! {
    #[test]
    fn arbitrary_octets_and_bent_certificates_break_nothing(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        place in any::<prop::sample::Index>(),
        bits in 1..=255u8,
    ) {
        let _ = parse(&octets);
        let mut der = FAMILY.leaf.der().to_vec();
        let place = place.index(der.len());
        der[place] ^= bits;
        if let Ok(bent) = Certificate::from_der(&der) {
            prop_assert_eq!(bent.der(), &*der);
            prop_assert!(bent != FAMILY.leaf);
            let _ = (bent.to_string(), bent.serial(), bent.spiffe_id());
        }
    }
}
