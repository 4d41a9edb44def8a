//! Many paths: the good one is found wherever it is, and to look for it ends.

use keyward_x509::{Certificate, ChainError, PRESENTED_LIMIT, Purpose, Revocation, TrustStore, verify};
use proptest::prelude::*;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};

use crate::support::*;

fn check(store: &TrustStore, presented: &[Certificate]) -> Result<Certificate, ChainError> {
    let chain = verify(store, presented, Purpose::ClientAuth, NOW, &Revocation::none())?;
    Ok(chain.anchor().clone())
}

/// As BetterTLS does: one good path among certificates of the same name and key, each with another fault.
struct Puzzle {
    root: Certificate,
    leaf: Certificate,
    good: Certificate,
    bad: Vec<Certificate>,
}

fn puzzle() -> Puzzle {
    let (root, ca, stranger) = (Party::new("Root"), Party::new("CA"), Party::new("Stranger"));
    let namesake = Party::new("CA");
    let bad = vec![
        ca.ca_by_with(&root, |params| valid(params, NOW - 10 * DAY, NOW - DAY)),
        ca.ca_by_with(&root, |params| valid(params, NOW + DAY, NOW + 10 * DAY)),
        ca.ca_by_with(&root, |params| params.is_ca = IsCa::NoCa),
        ca.ca_by_with(&root, |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
        ca.ca_by_with(&root, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ca.ca_by(&stranger),
        // By somebody who calls himself the root.
        ca.ca_by(&Party::new("Root")),
        // Of the same name and another key, which did not sign the leaf.
        namesake.ca_by(&root),
        namesake.root(),
        ca.root(),
        stranger.root(),
        stranger.ca_by(&ca),
    ];
    Puzzle { root: root.root(), leaf: Party::new("leaf").leaf_by(&ca), good: ca.ca_by(&root), bad }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_one_good_path_is_found_wherever_it_stands(
        order in Just((0..13).collect::<Vec<usize>>()).prop_shuffle(),
        presented in prop::collection::vec(any::<bool>(), 13),
    ) {
        let puzzle = std::sync::LazyLock::force(&PUZZLE);
        let all: Vec<_> = puzzle.bad.iter().chain([&puzzle.good]).collect();
        let (mut chain, mut stored, mut without) = (vec![puzzle.leaf.clone()], Vec::new(), Vec::new());
        for place in order {
            let certificate = all[place].clone();
            if certificate != puzzle.good {
                without.push(certificate.clone());
            }
            if presented[place] { chain.push(certificate) } else { stored.push(certificate) }
        }
        let builder = TrustStore::builder().anchors([puzzle.root.clone()]);
        let found = check(&builder.clone().intermediates(stored).build(NOW), &chain);
        prop_assert_eq!(found.as_ref(), Ok(&puzzle.root));
        // Without it there is none, whatever else is there.
        let found = check(&builder.intermediates(without).build(NOW), &chain[..1]);
        prop_assert!(found.is_err());
    }
}

static PUZZLE: std::sync::LazyLock<Puzzle> = std::sync::LazyLock::new(puzzle);

#[test]
fn cas_that_certify_each_other_are_no_way_around_and_no_trap() {
    let (root, a, b) = (Party::new("Root"), Party::new("A"), Party::new("B"));
    let leaf = Party::new("leaf").leaf_by(&a);
    let ring = [a.ca_by(&b), b.ca_by(&a)];
    let store = TrustStore::builder().anchors([root.root()]).intermediates(ring.clone()).build(NOW);
    assert!(matches!(check(&store, std::slice::from_ref(&leaf)), Err(ChainError::UnknownIssuer { .. })));
    let builder = TrustStore::builder().anchors([root.root()]).intermediates(ring);
    let store = builder.intermediates([b.ca_by(&root)]).build(NOW);
    assert!(check(&store, &[leaf]).is_ok());
}

#[test]
fn six_intermediates_are_a_path_and_seven_are_not() {
    let parties: Vec<_> = (0..8).map(|place| Party::new(&format!("CA {place}"))).collect();
    let chain = |length: usize| {
        let mut chain = vec![Party::new("leaf").leaf_by(&parties[length])];
        chain.extend((1..=length).rev().map(|place| parties[place].ca_by(&parties[place - 1])));
        chain
    };
    let store = TrustStore::builder().anchors([parties[0].root()]).build(NOW);
    assert!(check(&store, &chain(6)).is_ok());
    let long = chain(7);
    assert_eq!(check(&store, &long), Err(ChainError::TooComplex { certificate: long[0].clone() }));
}

#[test]
fn strangers_that_all_certify_each_other_are_soon_given_up() {
    // Every one may have signed every other, by name: rustls-webpki alone looks at 200 000 paths of them.
    let evil: Vec<_> = (1..PRESENTED_LIMIT).map(|_| Party::new("Evil")).collect();
    let mut presented = vec![Party::new("leaf").leaf_by(&evil[0])];
    presented.extend(evil.iter().map(|party| party.ca_by(&evil[0])));
    let root = Party::new("Root");
    let store = TrustStore::builder().anchors([root.root()]).build(NOW);
    let refused = ChainError::TooComplex { certificate: presented[0].clone() };
    assert_eq!(check(&store, &presented), Err(refused));
    // Under the name of an anchor each path costs a signature, of which there are a hundred.
    let named = TrustStore::builder().anchors([Party::new("Evil").root()]).build(NOW);
    assert!(check(&named, &presented).is_err());
}

#[test]
fn a_bundle_of_a_thousand_namesakes_hides_no_good_one_that_names_its_key() {
    let (root, right) = (Party::new("Root"), Party::new("Signer"));
    let keyed = |params: &mut rcgen::CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.use_authority_key_identifier_extension = true;
    };
    // Few keys, many certificates: to make a key takes longer than to look at it.
    let namesakes: Vec<_> = (0..50).map(|_| Party::new("Signer")).collect();
    let mut bundle: Vec<_> =
        (0..1000).map(|place: usize| namesakes[place % 50].ca_by_with(&root, keyed)).collect();
    let leaf = Party::new("leaf").leaf_by_with(&right, |params| {
        params.use_authority_key_identifier_extension = true;
    });
    let builder = TrustStore::builder().anchors([root.root()]);
    let without = builder.clone().intermediates(bundle.clone()).build(NOW);
    let refused = check(&without, std::slice::from_ref(&leaf)).unwrap_err();
    assert_eq!(refused.certificate(), Some(&leaf));
    bundle.push(right.ca_by_with(&root, keyed));
    let store = builder.intermediates(bundle).build(NOW);
    assert_eq!(check(&store, &[leaf]), Ok(store.anchors().next().unwrap().clone()));
}
