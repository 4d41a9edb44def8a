//! Revocation lists, hard and soft.

use keyward_x509::{Certificate, ChainError, Crl, CrlError, Purpose, Revocation, TrustStore, verify};
use rcgen::{
    BasicConstraints, CertificateRevocationListParams, IsCa, KeyIdMethod, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};

use crate::support::*;

/// A list by `issuer` of what it took back yesterday, made at `this_update` for a week.
fn crl_der(issuer: &Party, revoked: &[&Certificate], this_update: i64) -> Vec<u8> {
    let revoked_certs = revoked.iter().map(|certificate| {
        let serial = certificate.serial();
        let octets =
            (0..serial.len()).step_by(2).map(|at| u8::from_str_radix(&serial[at..at + 2], 16).unwrap());
        RevokedCertParams {
            serial_number: SerialNumber::from_slice(&octets.collect::<Vec<_>>()),
            revocation_time: time(NOW - DAY),
            reason_code: None,
            invalidity_date: None,
        }
    });
    let params = CertificateRevocationListParams {
        this_update: time(this_update),
        next_update: time(this_update + 7 * DAY),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked_certs.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&issuer.issuer()).unwrap().der().to_vec()
}

fn crl(issuer: &Party, revoked: &[&Certificate], this_update: i64) -> Crl {
    Crl::from_der(&crl_der(issuer, revoked, this_update)).unwrap()
}

fn check(revocation: &Revocation, presented: &[&Certificate]) -> Result<(), ChainError> {
    let store = TrustStore::builder().anchors([FAMILY.root.clone()]).build(NOW);
    let presented: Vec<_> = presented.iter().copied().cloned().collect();
    verify(&store, &presented, Purpose::ClientAuth, NOW, revocation).map(drop)
}

#[test]
fn a_certificate_that_a_list_names_is_refused_in_either_mode() {
    let family = &*FAMILY;
    let fresh = NOW - 3600;
    let (of_root, of_signer) =
        (crl(&family.root_party, &[], fresh), crl(&family.signer_party, &[&family.leaf], fresh));
    let revoked_leaf = ChainError::Revoked { certificate: family.leaf.clone(), since: NOW - DAY };
    // rcgen makes the serial number of the key.
    let good = Party::new("leaf").leaf_by(&family.signer_party);
    for revocation in [
        Revocation::hard([of_root.clone(), of_signer.clone()]),
        Revocation::soft([of_root, of_signer.clone()]),
        Revocation::soft([of_signer]),
    ] {
        assert_eq!(check(&revocation, &[&family.leaf, &family.signer]), Err(revoked_leaf.clone()));
        assert_eq!(check(&revocation, &[&good, &family.signer]), Ok(()));
    }
    // An intermediate, too, of which the leaf's own issuer knows nothing.
    let of_root = crl(&family.root_party, &[&family.signer], fresh);
    let of_signer = crl(&family.signer_party, &[], fresh);
    let revoked = ChainError::Revoked { certificate: family.signer.clone(), since: NOW - DAY };
    for revocation in [Revocation::hard([of_root.clone(), of_signer]), Revocation::soft([of_root])] {
        assert_eq!(check(&revocation, &[&family.leaf, &family.signer]), Err(revoked.clone()));
    }
}

#[test]
fn what_is_not_known_is_refused_in_hard_mode_only() {
    let family = &*FAMILY;
    let of_root = crl(&family.root_party, &[], NOW - 3600);
    let of_signer = crl(&family.signer_party, &[], NOW - 3600);
    let presented = [&family.leaf, &family.signer];
    let unknown =
        |certificate: &Certificate| Err(ChainError::RevocationUnknown { certificate: certificate.clone() });
    assert_eq!(check(&Revocation::none(), &presented), Ok(()));
    assert_eq!(check(&Revocation::hard([]), &presented), unknown(&family.leaf));
    assert_eq!(check(&Revocation::hard([of_root.clone()]), &presented), unknown(&family.leaf));
    assert_eq!(check(&Revocation::hard([of_signer.clone()]), &presented), unknown(&family.signer));
    assert_eq!(check(&Revocation::hard([of_signer.clone(), of_root.clone()]), &presented), Ok(()));
    for crls in [vec![], vec![of_root], vec![of_signer]] {
        assert_eq!(check(&Revocation::soft(crls), &presented), Ok(()));
    }
}

#[test]
fn a_list_past_its_time_is_refused_in_hard_mode_and_counts_in_soft() {
    let family = &*FAMILY;
    let made = NOW - 8 * DAY;
    let of_root = crl(&family.root_party, &[], NOW - 3600);
    let old = crl(&family.signer_party, &[&family.leaf], made);
    assert_eq!((old.this_update(), old.next_update(), old.issuer()), (made, NOW - DAY, "CN=Signer"));
    // rcgen makes the serial number of the key.
    let good = Party::new("leaf").leaf_by(&family.signer_party);
    let expired = ChainError::CrlExpired { certificate: good.clone(), next_update: NOW - DAY, now: NOW };
    let hard = Revocation::hard([of_root.clone(), old.clone()]);
    assert_eq!(check(&hard, &[&good, &family.signer]), Err(expired));
    let soft = Revocation::soft([of_root.clone(), old.clone()]);
    assert_eq!(check(&soft, &[&good, &family.signer]), Ok(()));
    let revoked = ChainError::Revoked { certificate: family.leaf.clone(), since: NOW - DAY };
    assert_eq!(check(&soft, &[&family.leaf, &family.signer]), Err(revoked));
    // Of several the newest counts, in whatever order they come.
    let new = crl(&family.signer_party, &[], NOW - 3600);
    for crls in [[of_root.clone(), old.clone(), new.clone()], [of_root, new, old]] {
        assert_eq!(check(&Revocation::hard(crls), &[&family.leaf, &family.signer]), Ok(()));
    }
}

#[test]
fn a_list_by_another_key_of_that_name_is_believed_in_no_mode() {
    let family = &*FAMILY;
    let forged = crl(&Party::new("Signer"), &[], NOW - 3600);
    let of_root = crl(&family.root_party, &[], NOW - 3600);
    let untrusted = ChainError::CrlUntrusted { certificate: family.leaf.clone() };
    for revocation in [Revocation::hard([forged.clone(), of_root]), Revocation::soft([forged])] {
        assert_eq!(check(&revocation, &[&family.leaf, &family.signer]), Err(untrusted.clone()));
    }
    // By the right key, which may not sign lists.
    let signer = family.signer_party.ca_by_with(&family.root_party, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    let soft = Revocation::soft([crl(&family.signer_party, &[], NOW - 3600)]);
    assert_eq!(check(&soft, &[&family.leaf, &signer]), Err(untrusted));
}

#[test]
fn a_file_holds_one_list_in_der_or_many_in_pem() {
    let der = crl_der(&FAMILY.signer_party, &[], NOW);
    assert_eq!(Crl::all_from_pem_or_der(&der).unwrap().len(), 1);
    let section = pem_of("X509 CRL", &der);
    let crls = Crl::all_from_pem_or_der(format!("{section}text\n{section}").as_bytes()).unwrap();
    assert_eq!(crls.len(), 2);
    let certificate = pem(&FAMILY.leaf);
    let of = |octets: &[u8]| Crl::all_from_pem_or_der(octets).unwrap_err();
    assert_eq!(of(certificate.as_bytes()), CrlError::NoList);
    assert_eq!(of(b""), CrlError::Malformed);
    assert_eq!(of(&der[1..]), CrlError::Malformed);
    assert_eq!(of(&[&*der, b"x"].concat()), CrlError::Malformed);
    // A list that cannot be read is not left out: what it revokes would pass.
    assert_eq!(of(pem_of("X509 CRL", &der[..40]).replace('\n', "\r\n").as_bytes()), CrlError::Malformed);
    assert_eq!(of(&vec![0; Crl::SIZE_LIMIT + 1]), CrlError::TooLarge { octets: Crl::SIZE_LIMIT + 1 });
}
