use keyward_x509::{
    Bundle, BundleLimits, Certificate, Crl, DistinguishedName, Purpose, Revocation, Role, TrustStore,
    VerifiedChain, Wrapper, WrapperMembers, verify,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer;

/// 2026-12-01T00:00:00Z, when the corpus is mostly valid.
const NOW: i64 = 1_796_083_200;

/// `Bundle::parse`, `Crl::all_from_pem_or_der` and `Wrapper::inspect` of `data`, and what they lead to.
///
/// An anchor is declared, and another implementation finds that its own key signed it; a chain that verifies is linked
/// by names and, by that implementation, by signatures.
pub fn x509(data: &[u8]) {
    let crls = Crl::all_from_pem_or_der(data).unwrap_or_default();
    wrapper(data);
    let Ok(bundle) = Bundle::parse(data, BundleLimits::default()) else {
        return;
    };
    for certificate in &bundle.certificates {
        assert_eq!(Certificate::from_der(certificate.der()).as_ref(), Ok(certificate));
        shown(certificate);
    }
    let declared = TrustStore::builder().anchors(bundle.certificates.clone()).build(NOW);
    for sorted in declared.sorted() {
        assert_eq!(sorted.role == Role::Anchor, sorted.certificate.fits_as_anchor(NOW).is_ok());
    }
    for anchor in declared.anchors() {
        assert!(anchor.is_ca() && (anchor.not_before()..=anchor.not_after()).contains(&NOW));
        signed_by(anchor, anchor);
    }
    let present = TrustStore::builder().intermediates(bundle.certificates.clone()).build(NOW);
    assert_eq!(present.anchors().count(), 0, "nobody declared one");
    for revocation in [Revocation::none(), Revocation::soft(crls.clone()), Revocation::hard(crls)] {
        assert!(verify(&present, &bundle.certificates, Purpose::Any, NOW, &revocation).is_err());
        match verify(&declared, &bundle.certificates, Purpose::Any, NOW, &revocation) {
            Ok(chain) => linked(&declared, &bundle, &chain),
            Err(error) => drop(error.to_string()),
        }
    }
}

/// What a certificate says can be shown: nothing in it moves a cursor, and it ends.
fn shown(certificate: &Certificate) {
    let text = certificate.to_string();
    assert!(!text.chars().any(char::is_control) && text.chars().count() < 4000, "{text:?}");
    let name: DistinguishedName = "CN=a,O=b".parse().unwrap();
    let _ = name.is_subject_of(certificate);
    let _ = (certificate.spiffe_id(), certificate.thumbprint_sha1(), certificate.validity(NOW));
}

fn linked(store: &TrustStore, bundle: &Bundle, chain: &VerifiedChain) {
    assert_eq!(Some(chain.leaf()), bundle.certificates.first());
    assert!(store.anchors().any(|anchor| anchor == chain.anchor()));
    assert!(chain.not_after() >= NOW);
    let certificates: Vec<_> = chain.certificates().collect();
    for link in certificates.windows(2) {
        signed_by(link[0], link[1]);
        assert!(link[1].is_ca());
    }
}

/// By x509-parser's own verification, as far as it knows the algorithm.
fn signed_by(certificate: &Certificate, issuer: &Certificate) {
    assert_eq!(certificate.issuer_der(), issuer.subject_der());
    let (_, issued) = X509Certificate::from_der(certificate.der()).unwrap();
    let (_, issuer) = X509Certificate::from_der(issuer.der()).unwrap();
    match issued.verify_signature(Some(issuer.public_key())) {
        Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm) => {}
        Err(error) => panic!("{error}: {certificate:?}"),
    }
}

fn wrapper(data: &[u8]) {
    let members = WrapperMembers { x5c: vec![data.to_vec()], ..WrapperMembers::default() };
    let wrapper = Wrapper::inspect(&members, data, None, NOW).unwrap();
    let Some(certificate) = wrapper.certificate() else {
        assert_eq!(wrapper, Wrapper::malformed());
        return;
    };
    // Octets that are a certificate are no key; the certificate's own key is.
    assert!(wrapper.trouble().is_some());
    let own = Wrapper::inspect(&members, certificate.spki(), None, NOW).unwrap();
    assert_eq!(own.certificate(), Some(certificate));
}
