//! Names that leaves are held against.

use keyward_x509::{
    Certificate, ChainError, Identity, IdentityError, Purpose, Revocation, SpiffeError, SpiffeId, TrustStore,
    verify,
};
use rcgen::{CertificateParams, KeyUsagePurpose, SanType};

use crate::support::*;

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().unwrap())
}

fn leaf(change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    FAMILY.leaf_party.leaf_by_with(&FAMILY.signer_party, change)
}

fn leaf_for(names: &[SanType]) -> Certificate {
    leaf(|params| params.subject_alt_names = names.to_vec())
}

fn is_for(leaf: &Certificate, name: &str) -> bool {
    let store = TrustStore::builder().anchors([FAMILY.root.clone()]).build(NOW);
    let presented = [leaf.clone(), FAMILY.signer.clone()];
    let chain = verify(&store, &presented, Purpose::Any, NOW, &Revocation::none()).unwrap();
    let wanted: Identity = name.parse().unwrap();
    match chain.check_identity(&wanted) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error, ChainError::NameMismatch { certificate: leaf.clone(), wanted });
            false
        }
    }
}

#[test]
fn dns_names_and_addresses_are_those_of_the_extension() {
    let leaf = leaf_for(&[
        dns("api.example.org"),
        dns("*.apps.example.org"),
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::IpAddress("2001:db8::7".parse().unwrap()),
    ]);
    assert_eq!(leaf.dns_names().collect::<Vec<_>>(), ["api.example.org", "*.apps.example.org"]);
    assert_eq!(leaf.ip_addresses().len(), 2);
    for (name, is_its) in [
        ("api.example.org", true),
        ("API.Example.ORG", true),
        ("example.org", false),
        ("x.api.example.org", false),
        ("a.apps.example.org", true),
        ("a.b.apps.example.org", false),
        ("apps.example.org", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8::7", true),
        // The common name is no name.
        ("leaf", false),
    ] {
        assert_eq!(is_for(&leaf, name), is_its, "{name}");
    }
    assert!(!is_for(&FAMILY.leaf, "leaf"));
}

#[test]
fn a_spiffe_id_is_the_only_uri_of_a_leaf_that_signs() {
    let id = "spiffe://example.org/session/7";
    let good = leaf_for(&[dns("a.example.org"), uri(id)]);
    assert_eq!(good.spiffe_id().unwrap().as_str(), id);
    assert!(is_for(&good, id));
    for other in ["spiffe://example.org/session", "spiffe://example.org", "spiffe://example.com/session/7"] {
        assert!(!is_for(&good, other), "{other}");
    }
    let two = leaf_for(&[uri(id), uri("https://example.org")]);
    assert_eq!(two.spiffe_id(), Err(SpiffeError::NotTheOnlyUri { uris: 2 }));
    assert!(!is_for(&two, id));
    assert_eq!(FAMILY.leaf.spiffe_id(), Err(SpiffeError::NotTheOnlyUri { uris: 0 }));
    assert_eq!(leaf_for(&[uri("https://example.org")]).spiffe_id(), Err(SpiffeError::Malformed));
    for usages in [
        vec![],
        vec![KeyUsagePurpose::KeyEncipherment],
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign],
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign],
    ] {
        let leaf = leaf(|params| {
            params.subject_alt_names = vec![uri(id)];
            params.key_usages = usages;
        });
        assert_eq!(leaf.spiffe_id(), Err(SpiffeError::NotALeaf));
    }
    let ca = FAMILY.signer_party.ca_by_with(&FAMILY.root_party, |params| {
        params.subject_alt_names = vec![uri(id)];
    });
    assert_eq!(ca.spiffe_id(), Err(SpiffeError::NotALeaf));
}

#[test]
fn spiffe_ids_are_as_their_specification_writes_them() {
    let id: SpiffeId = "spiffe://prod.example_1/a/B-2/.c".parse().unwrap();
    assert_eq!((id.trust_domain(), id.path()), ("prod.example_1", "/a/B-2/.c"));
    let domain: SpiffeId = "spiffe://example.org".parse().unwrap();
    assert_eq!((domain.trust_domain(), domain.path()), ("example.org", ""));
    for text in [
        "",
        "spiffe://",
        "spiffe:///path",
        "SPIFFE://example.org/a",
        "spiffe://Example.org/a",
        "spiffe://example.org/",
        "spiffe://example.org/a/",
        "spiffe://example.org//a",
        "spiffe://example.org/./a",
        "spiffe://example.org/../a",
        "spiffe://example.org/a?b",
        "spiffe://example.org/a#b",
        "spiffe://example.org/%41",
        "spiffe://user@example.org/a",
        "spiffe://example.org:8443/a",
        "spiffe://example.org/ä",
        "https://example.org/a",
        &format!("spiffe://{}/a", "d".repeat(256)),
        &format!("spiffe://example.org/{}", "a".repeat(2048)),
    ] {
        assert_eq!(text.parse::<SpiffeId>(), Err(SpiffeError::Malformed), "{text}");
    }
}

#[test]
fn a_name_that_is_none_is_refused_before_it_is_asked_for() {
    for text in ["", "*.example.org", "a b", "-a.example.org", "a..example.org"] {
        assert_eq!(text.parse::<Identity>(), Err(IdentityError::NotAName), "{text}");
    }
    assert_eq!("http://a".parse::<Identity>(), Err(IdentityError::Spiffe(SpiffeError::Malformed)));
    for text in ["example.org", "192.0.2.7", "2001:db8::7", "spiffe://example.org/a"] {
        assert_eq!(text.parse::<Identity>().unwrap().to_string(), text);
    }
}
