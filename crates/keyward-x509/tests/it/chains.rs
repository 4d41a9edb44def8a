//! Chains by every rule, and which certificate a refusal names.

use keyward_x509::{
    Certificate, ChainError, NoAnchor, PRESENTED_LIMIT, Purpose, Revocation, TrustStore, VerifiedChain,
    verify,
};
use rcgen::{
    BasicConstraints, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType,
};

use crate::support::*;

fn anchored(root: &Certificate) -> TrustStore {
    TrustStore::builder().anchors([root.clone()]).build(NOW)
}

fn check(
    store: &TrustStore,
    presented: &[&Certificate],
    purpose: Purpose,
    now: i64,
) -> Result<VerifiedChain, ChainError> {
    let presented: Vec<_> = presented.iter().copied().cloned().collect();
    verify(store, &presented, purpose, now, &Revocation::none())
}

#[test]
fn a_good_chain_tells_its_certificates() {
    let family = &*FAMILY;
    for (store, presented) in [
        (anchored(&family.root), vec![&family.leaf, &family.signer]),
        // Whoever presents the root, or anything else, changes nothing.
        (anchored(&family.root), vec![&family.leaf, &family.root, &family.signer, &family.leaf]),
        (
            TrustStore::builder()
                .anchors([family.root.clone()])
                .intermediates([family.signer.clone()])
                .build(NOW),
            vec![&family.leaf],
        ),
    ] {
        for purpose in [Purpose::Any, Purpose::ClientAuth, Purpose::ServerAuth] {
            let chain = check(&store, &presented, purpose, NOW).unwrap();
            assert_eq!(chain.leaf(), &family.leaf);
            assert_eq!(chain.intermediates(), std::slice::from_ref(&family.signer));
            assert_eq!(chain.anchor(), &family.root);
            assert_eq!(chain.certificates().count(), 3);
            assert_eq!(chain.not_after(), NOW + 30 * DAY);
        }
    }
}

#[test]
fn a_chain_lasts_as_long_as_its_shortest_certificate() {
    let family = &*FAMILY;
    let until = NOW + DAY;
    let signer = family.signer_party.ca_by_with(&family.root_party, |params| valid(params, NOW - DAY, until));
    let store = anchored(&family.root);
    let presented = [&family.leaf, &signer];
    assert_eq!(check(&store, &presented, Purpose::Any, until).unwrap().not_after(), until);
    let expired = ChainError::Expired { certificate: signer.clone(), not_after: until, now: until + 1 };
    assert_eq!(check(&store, &presented, Purpose::Any, until + 1), Err(expired));
}

#[test]
fn a_refusal_names_the_certificate_that_is_out_of_its_time_and_by_how_much() {
    let family = &*FAMILY;
    let (over, to_come) = (NOW - 3600, NOW + 7200);
    let old = |params: &mut _| valid(params, NOW - 10 * DAY, over);
    let new = |params: &mut _| valid(params, to_come, NOW + 10 * DAY);
    let store = anchored(&family.root);
    let leaf = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        family.leaf_party.leaf_by_with(&family.signer_party, |params| change(params))
    };
    let signer = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        family.signer_party.ca_by_with(&family.root_party, |params| change(params))
    };
    for (leaf, signer, concerned) in [
        (leaf(&old), family.signer.clone(), 0),
        (family.leaf.clone(), signer(&old), 1),
        (leaf(&new), family.signer.clone(), 0),
        (family.leaf.clone(), signer(&new), 1),
    ] {
        let presented = [&leaf, &signer];
        let error = check(&store, &presented, Purpose::Any, NOW).unwrap_err();
        let certificate = presented[concerned].clone();
        let expected = if certificate.not_after() == over {
            ChainError::Expired { certificate, not_after: over, now: NOW }
        } else {
            ChainError::NotYetValid { certificate, not_before: to_come, now: NOW }
        };
        assert_eq!(error, expected);
        let seconds = if presented[concerned].not_after() == over { "3600 s ago" } else { "in 7200 s" };
        let text = error.to_string();
        assert!(text.contains(seconds) && text.contains(&presented[concerned].serial()), "{text}");
    }
    // A certificate that is not on any path is never blamed, however expired it is.
    let stray = Party::new("Stray").ca_by_with(&family.root_party, old);
    let stranger = Party::new("leaf").leaf_by(&Party::new("Nobody"));
    let error = check(&store, &[&stranger, &stray], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::UnknownIssuer { certificate: stranger });
}

#[test]
fn an_anchor_that_expired_after_the_store_was_built_is_refused() {
    let family = &*FAMILY;
    let until = NOW + DAY;
    let root = family.root_party.root_with(|params| valid(params, NOW - DAY, until));
    let store = anchored(&root);
    let presented = [&family.leaf, &family.signer];
    check(&store, &presented, Purpose::Any, until).unwrap();
    let expired = ChainError::Expired { certificate: root.clone(), not_after: until, now: until + 1 };
    assert_eq!(check(&store, &presented, Purpose::Any, until + 1), Err(expired));
    // One that was expired when the store was built is an intermediate, and is blamed likewise.
    let store = TrustStore::builder().anchors([root.clone()]).build(until + 1);
    let error = check(&store, &presented, Purpose::Any, until + 1).unwrap_err();
    assert_eq!(error.certificate(), Some(&root));
    assert_eq!(error.label(), "expired");
    // Renewed, with the same name and key, in either order.
    let renewed = family.root_party.root();
    for anchors in [[root.clone(), renewed.clone()], [renewed.clone(), root]] {
        let store = TrustStore::builder().anchors(anchors).build(NOW);
        let chain = check(&store, &presented, Purpose::Any, until + 1).unwrap();
        assert_eq!(chain.anchor(), &renewed);
    }
}

#[test]
fn a_path_that_ends_nowhere_says_where_and_why() {
    let family = &*FAMILY;
    let empty = TrustStore::builder().build(NOW);
    let all = [&family.leaf, &family.signer, &family.root];
    let unknown = |certificate: &Certificate| ChainError::UnknownIssuer { certificate: certificate.clone() };
    assert_eq!(check(&empty, &all[..1], Purpose::Any, NOW), Err(unknown(&family.leaf)));
    assert_eq!(check(&empty, &all[..2], Purpose::Any, NOW), Err(unknown(&family.signer)));
    let untrusted =
        |certificate: &Certificate, why| ChainError::UntrustedRoot { certificate: certificate.clone(), why };
    assert_eq!(
        check(&empty, &all, Purpose::Any, NOW),
        Err(untrusted(&family.root, NoAnchor::NotDeclared)),
        "a root that is only presented"
    );
    let present = TrustStore::builder().intermediates([family.root.clone()]).build(NOW);
    assert_eq!(
        check(&present, &all[..2], Purpose::Any, NOW),
        Err(untrusted(&family.root, NoAnchor::NotDeclared))
    );
    // Declared, and no anchor for another reason: that is what is told.
    let no_signer = family.root_party.root_with(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let error = check(&anchored(&no_signer), &all[..2], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::NoCertificateSigner { certificate: no_signer });
    let alone = Party::new("alone");
    let alone = alone.leaf_by(&alone);
    let error = check(&anchored(&alone), &[&alone], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, untrusted(&alone, NoAnchor::NotCa));
    assert_eq!(check(&empty, &[], Purpose::Any, NOW), Err(ChainError::Empty));
}

#[test]
fn an_anchors_file_with_an_intermediate_in_it_does_not_make_it_an_anchor() {
    let family = &*FAMILY;
    let store = anchored(&family.signer);
    let error = check(&store, &[&family.leaf], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::UnknownIssuer { certificate: family.signer.clone() });
}

#[test]
fn a_signature_by_another_key_of_that_name_is_refused() {
    let family = &*FAMILY;
    let impostor = Party::new("Signer");
    let store = anchored(&family.root);
    let forged = family.leaf_party.leaf_by(&impostor);
    let error = check(&store, &[&forged, &family.signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::SignatureInvalid { certificate: forged });
    let forged = impostor.ca_by(&Party::new("Root"));
    let leaf = family.leaf_party.leaf_by(&impostor);
    let error = check(&store, &[&leaf, &forged], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::SignatureInvalid { certificate: forged });
    // An anchor of the right name and the wrong key.
    let store = anchored(&Party::new("Root").root());
    let error = check(&store, &[&family.leaf, &family.signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::SignatureInvalid { certificate: family.signer.clone() });
}

#[test]
fn only_cas_sign_and_no_ca_is_a_leaf() {
    let family = &*FAMILY;
    let store = anchored(&family.root);
    let no_ca = family.signer_party.leaf_by(&family.root_party);
    let error = check(&store, &[&family.leaf, &no_ca], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::NotCa { certificate: no_ca });
    let usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let no_signer = family.signer_party.ca_by_with(&family.root_party, |params| params.key_usages = usages);
    let error = check(&store, &[&family.leaf, &no_signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::NoCertificateSigner { certificate: no_signer });
    let unsaid = family.signer_party.ca_by_with(&family.root_party, |params| params.key_usages.clear());
    check(&store, &[&family.leaf, &unsaid], Purpose::Any, NOW).unwrap();
    let error = check(&store, &[&family.signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::CaAsLeaf { certificate: family.signer.clone() });
    let error = check(&store, &[&family.root], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::CaAsLeaf { certificate: family.root.clone() });
}

#[test]
fn path_lengths_are_kept_to_the_anchors_too() {
    let (root, middle, signer) = (Party::new("Root"), Party::new("Middle"), Party::new("Signer"));
    let leaf = Party::new("leaf").leaf_by(&signer);
    let at_most = |most| IsCa::Ca(BasicConstraints::Constrained(most));
    let signer_certificate = signer.ca_by(&middle);
    for (of_root, of_middle, is_good) in
        [(1, 0, false), (2, 0, false), (1, 1, false), (2, 1, true), (0, 1, false)]
    {
        // The signer and a middle one follow the root; one more follows the middle one.
        let top = Party::new("Top");
        let root_certificate = root.root_with(|params| params.is_ca = at_most(of_root));
        let top_certificate = top.ca_by(&root);
        let middle_certificate = middle.ca_by_with(&top, |params| params.is_ca = at_most(of_middle));
        let store = anchored(&root_certificate);
        let presented = [&leaf, &signer_certificate, &middle_certificate, &top_certificate];
        let found = check(&store, &presented, Purpose::Any, NOW);
        // Three follow the root here, so that none of its lengths suffices.
        let concerned = if of_middle == 0 { &middle_certificate } else { &root_certificate };
        assert_eq!(
            found,
            Err(ChainError::PathLength { certificate: concerned.clone() }),
            "{of_root} {of_middle}"
        );
        // Two follow it without the top one.
        let middle_certificate = middle.ca_by_with(&root, |params| params.is_ca = at_most(of_middle));
        let found = check(&store, &[&leaf, &signer_certificate, &middle_certificate], Purpose::Any, NOW);
        assert_eq!(found.is_ok(), is_good, "{of_root} {of_middle}: {found:?}");
    }
}

#[test]
fn a_purpose_is_kept_to_by_leaf_intermediate_and_anchor() {
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, CodeSigning, ServerAuth};
    let family = &*FAMILY;
    let purposes = [Purpose::ClientAuth, Purpose::ServerAuth, Purpose::Any];
    for (usages, allowed) in [
        (vec![], [true, true, true]),
        (vec![ClientAuth], [true, false, true]),
        (vec![ServerAuth], [false, true, true]),
        (vec![ClientAuth, ServerAuth], [true, true, true]),
        (vec![CodeSigning], [false, false, true]),
        // It does not stand for what is not named.
        (vec![Any], [false, false, true]),
        (vec![Any, ClientAuth], [true, false, true]),
    ] {
        let root = family.root_party.root_with(|params| params.extended_key_usages = usages.clone());
        let signer = family
            .signer_party
            .ca_by_with(&family.root_party, |params| params.extended_key_usages = usages.clone());
        let leaf = family
            .leaf_party
            .leaf_by_with(&family.signer_party, |params| params.extended_key_usages = usages.clone());
        let chains = [
            (&leaf, &family.signer, &family.root, &leaf),
            (&family.leaf, &signer, &family.root, &signer),
            (&family.leaf, &family.signer, &root, &root),
        ];
        for (leaf, signer, root, concerned) in chains {
            for (purpose, is_allowed) in purposes.into_iter().zip(allowed) {
                let found = check(&anchored(root), &[leaf, signer], purpose, NOW).map(drop);
                let refused = ChainError::NotForPurpose { certificate: concerned.clone(), purpose };
                let expected = if is_allowed { Ok(()) } else { Err(refused) };
                assert_eq!(found, expected, "{usages:?}");
            }
        }
    }
}

#[test]
fn the_key_usage_of_a_leaf_goes_with_its_purpose() {
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyAgreement, KeyEncipherment};
    let family = &*FAMILY;
    let store = anchored(&family.root);
    for (usages, client, server) in [
        (vec![], true, true),
        (vec![DigitalSignature], true, true),
        (vec![KeyAgreement], true, true),
        (vec![KeyEncipherment], false, true),
        (vec![CrlSign], false, false),
    ] {
        let leaf =
            family.leaf_party.leaf_by_with(&family.signer_party, |params| params.key_usages = usages.clone());
        for (purpose, is_allowed) in
            [(Purpose::ClientAuth, client), (Purpose::ServerAuth, server), (Purpose::Any, true)]
        {
            let found = check(&store, &[&leaf, &family.signer], purpose, NOW).map(drop);
            let refused = ChainError::KeyUsage { certificate: leaf.clone(), purpose };
            assert_eq!(found, if is_allowed { Ok(()) } else { Err(refused) }, "{usages:?}");
        }
    }
}

#[test]
fn names_are_held_to_the_constraints_of_every_ca() {
    let family = &*FAMILY;
    let constrained = |names: NameConstraints| {
        family.signer_party.ca_by_with(&family.root_party, |params| params.name_constraints = Some(names))
    };
    let leaf = |name: SanType| {
        family.leaf_party.leaf_by_with(&family.signer_party, |params| {
            params.distinguished_name.remove(DnType::CommonName);
            params.subject_alt_names = vec![name];
        })
    };
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let uri = |name: &str| SanType::URI(name.try_into().unwrap());
    let within =
        |name: GeneralSubtree| NameConstraints { permitted_subtrees: vec![name], excluded_subtrees: vec![] };
    let without =
        |name: GeneralSubtree| NameConstraints { permitted_subtrees: vec![], excluded_subtrees: vec![name] };
    let example = || GeneralSubtree::DnsName("example.org".to_owned());
    let store = anchored(&family.root);
    for (signer, leaf, is_good) in [
        (constrained(within(example())), leaf(dns("a.example.org")), true),
        (constrained(within(example())), leaf(dns("a.example.com")), false),
        (constrained(without(example())), leaf(dns("a.example.com")), true),
        (constrained(without(example())), leaf(dns("a.example.org")), false),
        // Not among what is constrained.
        (constrained(within(example())), leaf(uri("spiffe://example.com/a")), true),
    ] {
        let found = check(&store, &[&leaf, &signer], Purpose::Any, NOW).map(drop);
        let refused = ChainError::NameConstraint { certificate: leaf.clone() };
        assert_eq!(found, if is_good { Ok(()) } else { Err(refused) }, "{:?}", leaf.dns_names().next());
    }
    // The anchor's own constraints count as well.
    let root = family.root_party.root_with(|params| params.name_constraints = Some(within(example())));
    let leaf = leaf(dns("a.example.com"));
    let error = check(&anchored(&root), &[&leaf, &family.signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::NameConstraint { certificate: leaf });
}

#[test]
fn a_critical_extension_that_nobody_knows_is_refused() {
    let family = &*FAMILY;
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    extension.set_criticality(true);
    let store = anchored(&family.root);
    let leaf = family
        .leaf_party
        .leaf_by_with(&family.signer_party, |params| params.custom_extensions.push(extension.clone()));
    let error = check(&store, &[&leaf, &family.signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::Malformed { certificate: leaf });
    let signer = family
        .signer_party
        .ca_by_with(&family.root_party, |params| params.custom_extensions.push(extension.clone()));
    let error = check(&store, &[&family.leaf, &signer], Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::Malformed { certificate: signer.clone() });
    // Beside a good one of the same name it is only passed by.
    check(&store, &[&family.leaf, &signer, &family.signer], Purpose::Any, NOW).unwrap();
}

#[test]
fn more_certificates_than_a_chain_can_have_are_not_looked_at() {
    let family = &*FAMILY;
    let presented = vec![&family.leaf; PRESENTED_LIMIT + 1];
    let error = check(&anchored(&family.root), &presented, Purpose::Any, NOW).unwrap_err();
    assert_eq!(error, ChainError::TooMany { presented: PRESENTED_LIMIT + 1, limit: PRESENTED_LIMIT });
    assert_eq!(error.certificate(), None);
}

#[test]
fn times_before_1970_and_at_the_end_of_the_range_are_only_times() {
    let family = &*FAMILY;
    let presented = [&family.leaf, &family.signer];
    for now in [i64::MIN, -1, 0, i64::MAX] {
        let store = TrustStore::builder().anchors([family.root.clone()]).build(now);
        assert_eq!(store.anchors().count(), 0);
        check(&store, &presented, Purpose::Any, now).unwrap_err();
        let error = check(&anchored(&family.root), &presented, Purpose::Any, now).unwrap_err();
        assert_eq!(error.certificate(), Some(&family.leaf), "{error}");
    }
}
