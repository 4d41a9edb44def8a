//! The certificates that wrap keys.

use keyward_x509::{ChainError, NoAnchor, TrustStore, Validity, Wrapper, WrapperMembers, WrapperTrouble};
use rcgen::{CertificateParams, IsCa};

use crate::support::*;

fn members(certificates: &[&keyward_x509::Certificate]) -> WrapperMembers {
    WrapperMembers {
        x5c: certificates.iter().map(|certificate| certificate.der().to_vec()).collect(),
        ..WrapperMembers::default()
    }
}

/// A5: made beside a KMS key, by that key, for a year that is over since 7 h 55 min.
fn self_signed(party: &Party, change: impl FnOnce(&mut CertificateParams)) -> keyward_x509::Certificate {
    party.certificate_by(party, |params| {
        params.is_ca = IsCa::NoCa;
        change(params);
    })
}

#[test]
fn a_good_wrapper_says_whose_it_is_and_until_when() {
    let party = Party::new("realm-key-v1");
    let certificate = self_signed(&party, |_| {});
    let mut members = members(&[&certificate]);
    members.x5t = Some(certificate.thumbprint_sha1());
    members.x5t_s256 = Some(*certificate.thumbprint_sha256());
    let wrapper = Wrapper::inspect(&members, &party.spki(), None, NOW).unwrap();
    assert_eq!(wrapper.trouble(), None);
    let wrapped = wrapper.certificate().unwrap();
    assert_eq!((wrapped.subject(), wrapped.serial()), ("CN=realm-key-v1", certificate.serial()));
    assert_eq!((wrapped.not_before(), wrapped.not_after()), (NOW - 30 * DAY, NOW + 30 * DAY));
}

#[test]
fn the_times_of_a_wrapper_are_asked_at_any_moment_and_are_no_trouble() {
    let party = Party::new("realm-key-v1");
    let over = NOW - (7 * 60 + 55) * 60;
    let certificate = self_signed(&party, |params| valid(params, over - 365 * DAY, over));
    let wrapper = Wrapper::inspect(&members(&[&certificate]), &party.spki(), None, NOW).unwrap();
    assert_eq!(wrapper.trouble(), None);
    for (at, validity) in [
        (over - 365 * DAY - 1, Validity::NotYetValid),
        (over - 365 * DAY, Validity::Valid),
        (over, Validity::Valid),
        (over + 1, Validity::Expired),
        (NOW, Validity::Expired),
    ] {
        assert_eq!(wrapper.validity(at), Some(validity), "{at}");
    }
}

#[test]
fn a_certificate_about_another_key_is_a_mismatch() {
    let (party, other) = (Party::new("a"), Party::new("a"));
    let wrapper =
        Wrapper::inspect(&members(&[&self_signed(&other, |_| {})]), &party.spki(), None, NOW).unwrap();
    assert_eq!(wrapper.trouble(), Some(&WrapperTrouble::KeyMismatch));
}

#[test]
fn a_thumbprint_of_another_certificate_is_a_mismatch() {
    let party = Party::new("a");
    let (certificate, other) = (self_signed(&party, |_| {}), self_signed(&party, |_| {}));
    let by_sha1 = WrapperMembers { x5t: Some(other.thumbprint_sha1()), ..members(&[&certificate]) };
    let by_sha256 = WrapperMembers {
        x5t: Some(certificate.thumbprint_sha1()),
        x5t_s256: Some(*other.thumbprint_sha256()),
        ..members(&[&certificate])
    };
    for members in [by_sha1, by_sha256] {
        let wrapper = Wrapper::inspect(&members, &party.spki(), None, NOW).unwrap();
        assert_eq!(wrapper.trouble(), Some(&WrapperTrouble::ThumbprintMismatch));
    }
}

#[test]
fn what_cannot_be_read_is_malformed_and_a_thumbprint_alone_is_no_wrapper() {
    let party = Party::new("a");
    let certificate = self_signed(&party, |_| {});
    for octets in [&b""[..], b"certificate", &certificate.der()[1..], &[certificate.der(), b"x"].concat()] {
        let members = WrapperMembers { x5c: vec![octets.to_vec()], ..WrapperMembers::default() };
        let wrapper = Wrapper::inspect(&members, &party.spki(), None, NOW).unwrap();
        assert_eq!(wrapper, Wrapper::malformed());
        assert_eq!((wrapper.certificate(), wrapper.validity(NOW)), (None, None));
    }
    // The first can be read: its times are known, whatever follows it.
    let broken =
        WrapperMembers { x5c: vec![certificate.der().to_vec(), vec![0]], ..WrapperMembers::default() };
    let many = WrapperMembers { x5c: vec![certificate.der().to_vec(); 17], ..WrapperMembers::default() };
    for members in [broken, many] {
        let wrapper = Wrapper::inspect(&members, &party.spki(), None, NOW).unwrap();
        assert_eq!(wrapper.trouble(), Some(&WrapperTrouble::Malformed));
        assert_eq!(wrapper.certificate(), Some(&certificate));
    }
    let alone = WrapperMembers { x5t: Some([7; 20]), ..WrapperMembers::default() };
    assert_eq!(Wrapper::inspect(&alone, &party.spki(), None, NOW), None);
}

#[test]
fn where_anchors_are_given_the_chain_leads_to_one() {
    let family = &*FAMILY;
    let anchors = TrustStore::builder().anchors([family.root.clone()]).build(NOW);
    let spki = family.leaf_party.spki();
    let trouble = |certificates: &[&_]| {
        Wrapper::inspect(&members(certificates), &spki, Some(&anchors), NOW).unwrap().trouble().cloned()
    };
    assert_eq!(trouble(&[&family.leaf, &family.signer]), None);
    let alone = ChainError::UnknownIssuer { certificate: family.leaf.clone() };
    assert_eq!(trouble(&[&family.leaf]), Some(WrapperTrouble::Untrusted(alone)));
    let own = self_signed(&family.leaf_party, |_| {});
    let untrusted = ChainError::UntrustedRoot { certificate: own.clone(), why: NoAnchor::NotDeclared };
    assert_eq!(trouble(&[&own]), Some(WrapperTrouble::Untrusted(untrusted)));
    // The anchor itself may wrap its own key.
    let spki = family.root_party.spki();
    let wrapper = Wrapper::inspect(&members(&[&family.root]), &spki, Some(&anchors), NOW).unwrap();
    assert_eq!(wrapper.trouble(), None);
}

#[test]
fn an_expired_wrapper_of_a_known_authority_is_expired_and_not_untrusted() {
    let family = &*FAMILY;
    let anchors = TrustStore::builder().anchors([family.root.clone()]).build(NOW);
    for (from, until) in [(NOW - 20 * DAY, NOW - DAY), (NOW + DAY, NOW + 20 * DAY)] {
        let leaf = family.leaf_party.leaf_by_with(&family.signer_party, |params| valid(params, from, until));
        let members = members(&[&leaf, &family.signer]);
        let wrapper = Wrapper::inspect(&members, &family.leaf_party.spki(), Some(&anchors), NOW).unwrap();
        assert_eq!(wrapper.trouble(), None);
        assert_ne!(wrapper.validity(NOW), Some(Validity::Valid));
    }
}

#[test]
fn an_rsa_key_is_the_same_however_its_certificate_marks_it() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::default();
    valid(&mut params, NOW - DAY, NOW + DAY);
    let made = params.self_signed(&key).unwrap();
    let members = WrapperMembers { x5c: vec![made.der().to_vec()], ..WrapperMembers::default() };
    let certificate = keyward_x509::Certificate::from_der(made.der()).unwrap();
    let inspect = |spki: &[u8]| Wrapper::inspect(&members, spki, None, NOW).unwrap().trouble().cloned();
    assert_eq!(inspect(certificate.spki()), None);
    // id-RSASSA-PSS (RFC 4055 §1.2) in the place of rsaEncryption.
    let mut marked = certificate.spki().to_vec();
    let place = marked.windows(3).position(|octets| octets == [1, 1, 1]).unwrap();
    marked[place + 2] = 10;
    assert_eq!(inspect(&marked), None);
    // Another key with the same marks.
    let mut other = certificate.spki().to_vec();
    let last = other.len() - 10;
    other[last] ^= 1;
    assert_eq!(inspect(&other), Some(WrapperTrouble::KeyMismatch));
    assert_eq!(inspect(b""), Some(WrapperTrouble::KeyMismatch));
}
