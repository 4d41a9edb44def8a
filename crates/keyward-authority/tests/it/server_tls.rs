//! TLS of the clients' listener, with and without certificates of clients.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
use tokio_rustls::client::TlsStream;

use crate::node::{Raw, Running, until};

pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn certify(&self, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A connection that trusts this authority and shows a certificate, if any; none where there is no connection.
pub(crate) async fn connect(
    address: SocketAddr,
    trusts: &Authority,
    shows: Option<(CertificateDer<'static>, &KeyPair)>,
) -> Option<Raw<TlsStream<TcpStream>>> {
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
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await;
    stream.ok().map(Raw::new)
}

/// The status of the answer to a request for nothing; none where there is no connection.
async fn ask(
    address: SocketAddr,
    trusts: &Authority,
    shows: Option<(CertificateDer<'static>, &KeyPair)>,
) -> Option<u16> {
    let mut raw = connect(address, trusts, shows).await?;
    raw.try_send(NOTHING).await.ok()?;
    Some(raw.answer().await?.status)
}

const NOTHING: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Writes the certificate and the key that the listener is configured with.
fn certify(folder: &Path, authority: &Authority) {
    let (certificate, key) = authority.certify(ExtendedKeyUsagePurpose::ServerAuth);
    std::fs::write(folder.join("a.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("a.key"), key.serialize_pem()).unwrap();
}

pub(crate) async fn start(authority: &Authority, more: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path(), authority);
    std::fs::write(folder.path().join("ca.pem"), authority.0.pem()).unwrap();
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

/// Without labels, as a metric that may be missing is written.
const END: &str = "tls_certificate_not_after_seconds{}";

/// The value of a sample without labels.
async fn metric(running: &Running, name: &str) -> Option<f64> {
    running.metric(&format!("keyward_authority_{name}")).await
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_a_broken_one_to_nobody() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut running = start(&old, "").await;
    let mut reloader = running.reloader.take().unwrap();
    let folder = running.folder.path().to_owned();
    let mut open = connect(running.address, &old, None).await.unwrap();

    certify(&folder, &new);
    reloader.reload().unwrap();
    assert_eq!(ask(running.address, &new, None).await, Some(404));
    assert_eq!(ask(running.address, &old, None).await, None);
    open.send(NOTHING).await;
    assert_eq!(open.answer().await.unwrap().status, 404, "what is open goes on");
    assert_eq!(metric(&running, "config_refused").await, Some(0.0));

    // The key of another certificate, none at all, and nothing where a certificate should be.
    let (_, other) = new.certify(ExtendedKeyUsagePurpose::ServerAuth);
    for (name, text) in
        [("a.key", other.serialize_pem()), ("a.key", String::new()), ("a.pem", "no".to_owned())]
    {
        std::fs::write(folder.join(name), text).unwrap();
        let error = reloader.reload().unwrap_err().to_string();
        assert!(error.contains("authority.toml:") && error.contains(&format!("/{name}: ")), "{error}");
        assert_eq!(ask(running.address, &new, None).await, Some(404));
    }
    std::fs::remove_file(folder.join("a.pem")).unwrap();
    reloader.reload().unwrap_err();
    assert_eq!(metric(&running, "config_refused").await, Some(1.0));
    assert_eq!(metric(&running, "config_reloads_total{outcome=\"refused\"}").await, Some(4.0));
    assert_eq!(ask(running.address, &new, None).await, Some(404));

    certify(&folder, &old);
    reloader.reload().unwrap();
    assert_eq!(metric(&running, "config_refused").await, Some(0.0));
    assert_eq!(ask(running.address, &old, None).await, Some(404));
}

#[tokio::test]
async fn a_changed_file_is_seen_without_being_told() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let mut running = start(&old, "").await;
    let reloader = running.reloader.take().unwrap().look_every(Duration::from_millis(10));
    tokio::spawn(reloader.run());
    std::fs::write(running.folder.path().join("a.pem"), "half of it").unwrap();
    until(async || metric(&running, "config_refused").await == Some(1.0)).await;
    certify(running.folder.path(), &new);
    until(async || ask(running.address, &new, None).await == Some(404)).await;
    until(async || metric(&running, "config_refused").await == Some(0.0)).await;
}

#[tokio::test]
async fn the_end_of_the_certificate_is_known_ahead() {
    let authority = Authority::new("servers");
    let mut running = start(&authority, "").await;
    let end = metric(&running, END).await.unwrap();
    // rcgen's default is in the year 4096.
    assert!(end > 4e10, "{end}");
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let key = KeyPair::generate().unwrap();
    let soon = params.signed_by(&key, &authority.0).unwrap();
    std::fs::write(running.folder.path().join("a.pem"), soon.pem()).unwrap();
    std::fs::write(running.folder.path().join("a.key"), key.serialize_pem()).unwrap();
    running.reloader.as_mut().unwrap().reload().unwrap();
    let end = metric(&running, END).await.unwrap();
    assert_eq!(end, 1_798_761_600.0);
    // Without TLS there is none.
    let text = std::fs::read_to_string(running.folder.path().join("authority.toml")).unwrap();
    let plain = text.split("[authority.tls]").next().unwrap();
    std::fs::write(running.folder.path().join("authority.toml"), plain).unwrap();
    running.reloader.as_mut().unwrap().reload().unwrap();
    assert_eq!(metric(&running, END).await, None);
    assert_eq!(running.ask(NOTHING).await.unwrap().status, 404);
}
