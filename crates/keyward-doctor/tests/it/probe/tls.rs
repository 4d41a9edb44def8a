//! TLS: what is wrong with a certificate is told, and nothing is sent to whoever shows it.

use std::sync::Arc;

use keyward::IssuerSettings;
use keyward_doctor::facts::{Ended, IssuerFacts, TlsFacts, TlsTrouble};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::PrivateKeyDer;

use super::server::{Reply, Server};
use super::{JWKS, Names, answer, attempt, jwk_set, key_set, seen_by};

type Authority = CertifiedIssuer<'static, KeyPair>;

const NAME: &str = "idp.example";

fn authority() -> Authority {
    authority_called("authority")
}

fn authority_called(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server needs to be `name`, from one year's beginning to another's.
fn certified(authority: &Authority, name: &str, from: i32, until: i32) -> ServerConfig {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.into()], key).unwrap()
}

/// What is seen of a server by an issuer that trusts `authority`, and whose address holds a credential.
async fn seen(server: &Server, authority: &Authority) -> IssuerFacts {
    server.set(JWKS, Reply::json(&jwk_set()));
    let url = format!("https://planted:planted@{NAME}:{}{JWKS}", server.address.port());
    let settings = IssuerSettings {
        extra_anchors: authority.pem().into_bytes(),
        ..IssuerSettings::jwks_uri("urn:test", url.parse().unwrap()).allow_host(NAME.parse().unwrap())
    };
    seen_by(settings, Names::of(NAME, &["127.0.0.1"])).await
}

fn tls(facts: &IssuerFacts) -> &TlsFacts {
    attempt(facts).tls.as_ref().unwrap()
}

#[tokio::test]
async fn a_certificate_of_an_anchor_of_ours_is_trusted_and_told() {
    let authority = authority();
    let server = Server::start_tls(certified(&authority, NAME, 2020, 4000)).await;
    let facts = seen(&server, &authority).await;
    assert_eq!(answer(attempt(&facts)).status, 200);
    assert_eq!(key_set(&facts).answers.len(), 2);
    let told = tls(&facts);
    assert_eq!((told.trouble.as_ref(), told.version.as_deref()), (None, Some("TLSv1.3")));
    assert_eq!((&told.names[..], told.chain_length), (&[NAME.to_owned()][..], 1));
    assert_eq!((told.not_before, told.not_after), (Some(1_577_836_800), Some(64_060_588_800)));
    assert!(told.issuer.as_deref().unwrap().contains("authority"), "{told:?}");
    // Only there is the credential of the address sent, as the gateway sends it.
    assert!(server.asked().iter().all(|asked| asked.head.contains("authorization: Basic ")));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_and_nothing_is_sent() {
    let authority = authority();
    for (name, from, until, trouble) in [
        (NAME, 2019, 2020, TlsTrouble::Expired),
        (NAME, 3000, 4000, TlsTrouble::NotYetValid),
        ("other.example", 2020, 4000, TlsTrouble::NameMismatch),
    ] {
        let server = Server::start_tls(certified(&authority, name, from, until)).await;
        let facts = seen(&server, &authority).await;
        assert_eq!((&attempt(&facts).ended, &tls(&facts).trouble), (&Ended::TlsFailed, &Some(trouble)));
        assert_eq!(tls(&facts).names, [name.to_owned()]);
        assert_eq!(server.asked().len(), 0);
    }
    // Another one, and one that calls itself as ours does.
    for other in [authority_called("another"), self::authority()] {
        let server = Server::start_tls(certified(&other, NAME, 2020, 4000)).await;
        let facts = seen(&server, &authority).await;
        assert_eq!(tls(&facts).trouble, Some(TlsTrouble::Untrusted));
        assert_eq!(server.asked().len(), 0);
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_of_ours_says_so() {
    let authority = authority();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(4000, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(clients.clone().build().unwrap())
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let server = Server::start_tls(config).await;
        let facts = seen(&server, &authority).await;
        let wanted = Some(TlsTrouble::ClientCertificateWanted);
        assert_eq!((&attempt(&facts).ended, &tls(&facts).trouble), (&Ended::TlsFailed, &wanted));
        assert_eq!(server.asked().len(), 0);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    let server = Server::start().await;
    let facts = seen(&server, &authority()).await;
    assert_eq!(attempt(&facts).ended, Ended::TlsFailed);
    assert!(matches!(tls(&facts).trouble, Some(TlsTrouble::Other(_))), "{facts:?}");
}
