//! TLS of the clients' listener, with and without certificates of clients.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::node::{Raw, Running, until};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn certify(&self, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// The status of the answer to a request for nothing; none where there is no connection.
async fn ask(
    address: SocketAddr,
    trusts: &Authority,
    shows: Option<(CertificateDer<'static>, &KeyPair)>,
) -> Option<u16> {
    let mut anchors = RootCertStore::empty();
    anchors.add(trusts.0.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(anchors);
    let config = match shows {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
            // Unlike other ways, this one does not look whether it is the certificate's key.
            let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
            builder.with_client_cert_resolver(Arc::new(shown))
        }
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let stream =
        TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await.ok()?;
    let mut raw = Raw::new(stream);
    raw.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.ok()?;
    Some(raw.answer().await?.status)
}

async fn start(authority: &Authority, more: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.certify(ExtendedKeyUsagePurpose::ServerAuth);
    for (name, text) in
        [("a.pem", certificate.pem()), ("a.key", key.serialize_pem()), ("ca.pem", authority.0.pem())]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let tls = format!("[authority.tls]\ncertificate_file = \"a.pem\"\nkey_file = \"a.key\"\n{more}\n");
    Running::start_in(folder, "", &tls).await
}

#[tokio::test]
async fn it_speaks_tls_and_nothing_else_there() {
    let authority = Authority::new("servers");
    let running = start(&authority, "").await;
    assert_eq!(ask(running.address, &authority, None).await, Some(404));
    assert_eq!(ask(running.address, &Authority::new("others"), None).await, None);
    let mut plain = running.connect().await;
    plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let _ = plain.is_closed().await;
    for outcome in ["completed", "failed"] {
        let sample = format!("keyward_authority_tls_handshakes_total{{outcome=\"{outcome}\"}}");
        until(async || running.metric(&sample).await.is_some_and(|count| count >= 1.0)).await;
    }
}

#[tokio::test]
async fn a_certificate_is_taken_whoever_made_it_and_may_be_missing() {
    let authority = Authority::new("all");
    let running =
        start(&authority, "client_certificate = \"optional\"\nclient_ca_files = [\"ca.pem\"]").await;
    let (certificate, key) = authority.certify(ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(ask(running.address, &authority, Some((certificate.der().clone(), &key))).await, Some(404));
    assert_eq!(ask(running.address, &authority, None).await, Some(404));
    let own = KeyPair::generate().unwrap();
    let self_signed = CertificateParams::new(["me".to_owned()]).unwrap().self_signed(&own).unwrap();
    assert_eq!(ask(running.address, &authority, Some((self_signed.der().clone(), &own))).await, Some(404));
    // Without its key it is anybody's.
    assert_eq!(ask(running.address, &authority, Some((certificate.der().clone(), &own))).await, None);
}

#[tokio::test]
async fn where_one_is_required_nobody_comes_in_without() {
    let authority = Authority::new("all");
    let running = start(&authority, "client_certificate = \"required\"").await;
    let (certificate, key) = authority.certify(ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(ask(running.address, &authority, Some((certificate.der().clone(), &key))).await, Some(404));
    assert_eq!(ask(running.address, &authority, None).await, None);
}
