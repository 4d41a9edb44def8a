//! What makes a certificate an anchor, and what does not.

use keyward_x509::{Bundle, BundleLimits, Certificate, NoAnchor, Role, TrustStore};
use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};

use crate::support::*;

/// What the store makes of a certificate that is declared.
fn declared(certificate: &Certificate) -> Role {
    let store = TrustStore::builder().anchors([certificate.clone()]).build(NOW);
    let [sorted] = store.sorted() else { panic!("one certificate") };
    assert!(sorted.is_declared);
    assert_eq!(store.anchors().count() == 1, sorted.role == Role::Anchor);
    sorted.role
}

#[test]
fn an_anchor_is_declared_self_signed_a_ca_and_valid() {
    let party = Party::new("Root");
    let other = Party::new("Root");
    let expired = |params: &mut _| valid(params, NOW - 10 * DAY, NOW - 1);
    let to_come = |params: &mut _| valid(params, NOW + 1, NOW + 10 * DAY);
    let no_anchor = [
        (party.ca_by(&Party::new("Another")), NoAnchor::NotSelfSigned),
        (party.leaf_by(&Party::new("Another")), NoAnchor::NotSelfSigned),
        // The name says self-signed, the signature does not.
        (party.ca_by(&other), NoAnchor::SignatureInvalid),
        (party.root_with(|params| params.is_ca = IsCa::NoCa), NoAnchor::NotCa),
        (party.root_with(|params| params.is_ca = IsCa::ExplicitNoCa), NoAnchor::NotCa),
        (
            party.root_with(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
            NoAnchor::NoCertificateSigner,
        ),
        (party.root_with(expired), NoAnchor::Expired { not_after: NOW - 1, now: NOW }),
        (party.root_with(to_come), NoAnchor::NotYetValid { not_before: NOW + 1, now: NOW }),
        // What no waiting mends comes first.
        (
            party.root_with(|params| {
                expired(params);
                params.is_ca = IsCa::NoCa;
            }),
            NoAnchor::NotCa,
        ),
    ];
    for (certificate, why) in no_anchor {
        assert_eq!(declared(&certificate), Role::Intermediate(why));
        assert_eq!(certificate.fits_as_anchor(NOW), Err(why));
    }
    let mut critical = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    critical.set_criticality(true);
    let anchors = [
        party.root(),
        // RFC 5280 §6.1.4 (n): the bit is asked for where the extension is present.
        party.root_with(|params| params.key_usages.clear()),
        party.root_with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        party.root_with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        party.root_with(|params| valid(params, NOW, NOW)),
        // rustls-webpki looks at the name constraints of an anchor, and at no other extension.
        party.root_with(|params| params.custom_extensions.push(critical)),
    ];
    for certificate in anchors {
        assert_eq!(declared(&certificate), Role::Anchor);
        assert_eq!(certificate.fits_as_anchor(NOW), Ok(()));
    }
}

#[test]
fn every_kind_of_key_can_sign_itself() {
    let algorithms = [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_ED25519,
        &rcgen::PKCS_RSA_SHA256,
        &rcgen::PKCS_RSA_SHA384,
        &rcgen::PKCS_RSA_SHA512,
    ];
    for algorithm in algorithms {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = Party::new("Root").params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let made = params.self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        let role = declared(&certificate);
        assert_eq!(role, Role::Anchor, "{algorithm:?}");
        // One bit of the signature.
        let mut der = certificate.der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        let bent = Certificate::from_der(&der).unwrap();
        assert_ne!(declared(&bent), Role::Anchor, "{algorithm:?}");
    }
}

/// Made by `openssl req -x509`, valid from the day after [`NOW`] for fifty years. Nobody has their keys.
fn vector(pem: &[u8]) -> Certificate {
    Bundle::parse(pem, BundleLimits::default()).unwrap().certificates.remove(0)
}

#[test]
fn a_declared_root_of_old_may_have_signed_itself_with_sha_1() {
    // So did a fifth of the roots that systems trust.
    let certificate = vector(include_bytes!("../vectors/sha1-root.pem"));
    assert_eq!(certificate.fits_as_anchor(NOW + DAY), Ok(()));
    let mut der = certificate.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let bent = Certificate::from_der(&der).unwrap();
    assert_eq!(bent.fits_as_anchor(NOW + DAY), Err(NoAnchor::SignatureInvalid));
    // Not with a key that no chain is verified by.
    let short = vector(include_bytes!("../vectors/short-root.pem"));
    assert_eq!(short.fits_as_anchor(NOW + DAY), Err(NoAnchor::SignatureInvalid));
}

#[test]
fn rsassa_pss_is_verified_by_a_plain_rsa_key_only() {
    let plain = vector(include_bytes!("../vectors/pss-root.pem"));
    assert_eq!(plain.fits_as_anchor(NOW + DAY), Ok(()));
    let marked = vector(include_bytes!("../vectors/pss-key-root.pem"));
    assert_eq!(marked.fits_as_anchor(NOW + DAY), Err(NoAnchor::SignatureUnsupported));
}

#[test]
fn what_was_not_declared_is_an_intermediate_however_it_was_delivered() {
    let family = &*FAMILY;
    let store = TrustStore::builder()
        .intermediates([family.root.clone()])
        .anchors([family.signer.clone(), family.leaf.clone()])
        .build(NOW);
    let roles: Vec<_> = store.sorted().iter().map(|sorted| sorted.role).collect();
    let not_self_signed = Role::Intermediate(NoAnchor::NotSelfSigned);
    assert_eq!(roles, [Role::Intermediate(NoAnchor::NotDeclared), not_self_signed, not_self_signed]);
    assert_eq!(store.anchors().count(), 0);
    // It could be one: that is what `chain show` tells.
    assert_eq!(family.root.fits_as_anchor(NOW), Ok(()));
}

#[test]
fn a_pinned_fingerprint_declares_a_certificate_of_any_bundle() {
    let family = &*FAMILY;
    let unknown = [7; 32];
    let store = TrustStore::builder()
        .pin(*family.root.thumbprint_sha256())
        .pin(*family.signer.thumbprint_sha256())
        .pin(unknown)
        .intermediates([family.signer.clone(), family.root.clone()])
        .build(NOW);
    assert_eq!(store.anchors().collect::<Vec<_>>(), [&family.root]);
    // A pin is a declaration and nothing more.
    assert_eq!(store.sorted()[0].role, Role::Intermediate(NoAnchor::NotSelfSigned));
    assert!(store.sorted()[0].is_declared);
    assert_eq!(store.unmatched_pins(), [unknown]);
}

#[test]
fn a_certificate_that_comes_twice_is_taken_once_and_is_declared_if_one_is() {
    let family = &*FAMILY;
    let root = || [family.root.clone()];
    let first = TrustStore::builder().anchors(root()).intermediates(root()).build(NOW);
    let second = TrustStore::builder().intermediates(root()).anchors(root()).build(NOW);
    for store in [first, second] {
        assert_eq!(store.sorted().len(), 1);
        assert_eq!(store.anchors().count(), 1);
    }
}

#[test]
fn a_store_knows_when_it_has_to_be_sorted_again() {
    let party = Party::new("Root");
    let old = party.root_with(|params| valid(params, NOW - 10 * DAY, NOW + 5 * DAY));
    let new = party.root_with(|params| valid(params, NOW + DAY, NOW + 90 * DAY));
    let store = TrustStore::builder().anchors([old.clone(), new.clone()]).build(NOW);
    let anchors = |store: &TrustStore| store.anchors().cloned().collect::<Vec<_>>();
    assert_eq!((anchors(&store), store.changes_at()), (vec![old.clone()], Some(NOW + DAY)));
    let store = store.resorted(NOW + DAY);
    assert_eq!((anchors(&store), store.changes_at()), (vec![old, new.clone()], Some(NOW + 5 * DAY + 1)));
    let store = store.resorted(NOW + 5 * DAY + 1);
    assert_eq!((anchors(&store), store.changes_at()), (vec![new], Some(NOW + 90 * DAY + 1)));
    let store = store.resorted(NOW + 90 * DAY + 1);
    assert_eq!((anchors(&store), store.changes_at()), (vec![], None));
    assert_eq!(TrustStore::builder().build(NOW).changes_at(), None);
}
