//! Clients that are known by the certificate of their connection.

use std::sync::Arc;

use keyward_authority::cause::Cause;
use keyward_authority::client_auth::key_files::{Uploaded, public_key};
use keyward_authority::entity::{Client, ClientAuthMethod, Key, KeyOrigin, TlsSubject};
use keyward_authority::http::FormRequest;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::desk::{Desk, NOW, client, from, told};
use crate::bench::Bench;

const TLS: ClientAuthMethod = ClientAuthMethod::TlsClientAuth;
const SELF_SIGNED: ClientAuthMethod = ClientAuthMethod::SelfSignedTlsClientAuth;

async fn desk() -> (Desk, Bench) {
    let bench = Bench::sqlite();
    (Desk::open(bench.open().await).await, bench)
}

/// A certificate of `CN=app,O=Example` with one alternative name of each sort.
fn certificate() -> rcgen::Certificate {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, "app");
    params.subject_alt_names = vec![
        SanType::DnsName("app.example".try_into().unwrap()),
        SanType::Rfc822Name("app@example.org".try_into().unwrap()),
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::URI("spiffe://example.org/app".try_into().unwrap()),
    ];
    params.self_signed(&KeyPair::generate().unwrap()).unwrap()
}

fn over(desk: &Desk, certificate: Option<&rcgen::Certificate>, is_trusted: bool) -> FormRequest {
    let mut request = desk.request(&[("client_id", "app")]);
    request.peer.certificate = certificate.map(|certificate| Arc::from(&**certificate.der()));
    request.peer.is_trusted = is_trusted;
    request
}

fn named(subject: Option<TlsSubject>) -> Client {
    Client { tls_subject: subject, ..client("app", &[TLS]) }
}

#[tokio::test]
async fn a_trusted_certificate_is_a_clients_whose_subject_it_names() {
    let shown = certificate();
    let dns = |name: &str| TlsSubject::Dns(name.to_owned());
    for (subject, is_its) in [
        (Some(TlsSubject::SubjectDn("CN=app,O=Example".to_owned())), true),
        (Some(TlsSubject::SubjectDn("O=Example,CN=app".to_owned())), false),
        (Some(TlsSubject::SubjectDn("CN=app".to_owned())), false),
        (Some(TlsSubject::SubjectDn("".to_owned())), false),
        (Some(dns("APP.example")), true),
        (Some(dns("*.example")), false),
        (Some(dns("example")), false),
        (Some(TlsSubject::Email("app@example.org".to_owned())), true),
        (Some(TlsSubject::Email("App@example.org".to_owned())), false),
        (Some(TlsSubject::Ip("192.0.2.7".parse().unwrap())), true),
        (Some(TlsSubject::Ip("192.0.2.8".parse().unwrap())), false),
        (Some(TlsSubject::Uri("spiffe://example.org/app".to_owned())), true),
        (Some(TlsSubject::Uri("spiffe://example.org/ap".to_owned())), false),
        (None, false),
    ] {
        let (desk, _bench) = desk().await;
        desk.put(&named(subject.clone())).await;
        let authenticated = desk.authenticate(&over(&desk, Some(&shown), true)).await;
        let outcome = authenticated.map(|found| found.method).map_err(|refusal| refusal.cause);
        let expected = if is_its { Ok(TLS) } else { Err(Cause::CertificateOfAnother) };
        assert_eq!(outcome, expected, "{subject:?}");
        let untrusted = desk.cause(&over(&desk, Some(&shown), false)).await;
        assert_eq!(untrusted, Some(Cause::CertificateUntrusted));
    }
}

#[tokio::test]
async fn a_registered_certificate_is_known_by_its_key_and_by_nothing_else() {
    let (desk, _bench) = desk().await;
    desk.put(&client("app", &[SELF_SIGNED])).await;
    let shown = certificate();
    let uploaded = public_key(&Uploaded::Pem(shown.pem())).unwrap();
    let mut key = Key {
        owner: "client/app".to_owned(),
        kid: uploaded.kid,
        jwk: uploaded.jwk,
        enabled: true,
        expires_at: None,
        added_at: 0,
        origin: KeyOrigin::Uploaded,
    };
    // Trusted or not makes no difference.
    for is_trusted in [false, true] {
        let cause = desk.cause(&over(&desk, Some(&shown), is_trusted)).await;
        assert_eq!(cause, Some(Cause::CertificateOfAnother));
    }
    desk.put(&key).await;
    for is_trusted in [false, true] {
        let authenticated = desk.authenticate(&over(&desk, Some(&shown), is_trusted)).await.unwrap();
        assert_eq!(authenticated.method, SELF_SIGNED);
    }
    let same_name = certificate();
    let mut tellings = Vec::new();
    for (certificate, cause) in
        [(Some(&same_name), Cause::CertificateOfAnother), (None, Cause::CertificateMissing)]
    {
        let refusal = desk.authenticate(&over(&desk, certificate, true)).await.unwrap_err();
        assert_eq!(refusal.cause, cause);
        tellings.push(told(refusal).await);
    }
    for (enabled, expires_at, cause) in
        [(false, None, Cause::CertificateKeyDisabled), (true, Some(NOW), Cause::CertificateKeyExpired)]
    {
        (key.enabled, key.expires_at) = (enabled, expires_at);
        desk.put(&key).await;
        let changed = tokio::time::Instant::now();
        let mut place = 0_u32;
        let refusal = loop {
            // From elsewhere each time: until the change is known it may fail for the last one's cause.
            place += 1;
            let request = from(over(&desk, Some(&shown), true), (0x0a00_0000 + place).to_be_bytes());
            match desk.authenticate(&request).await {
                Err(refusal) if refusal.cause == cause => break refusal,
                _ => assert!(changed.elapsed().as_secs() < 5),
            }
            tokio::task::yield_now().await;
        };
        tellings.push(told(refusal).await);
    }
    tellings.dedup();
    assert_eq!(tellings.len(), 1, "{tellings:?}");
}

#[tokio::test]
async fn what_is_no_certificate_is_nobodys() {
    let (desk, _bench) = desk().await;
    desk.put(&client("app", &[TLS, SELF_SIGNED])).await;
    let mut request = over(&desk, None, true);
    request.peer.certificate = Some(Arc::from(&b"\x30\x03abc"[..]));
    assert_eq!(desk.cause(&request).await, Some(Cause::CertificateOfAnother));
}
