//! Certificates of every kind, made by rcgen, and TLS clients that show them.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::Raw;

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate, with its key.
pub(crate) struct Certified {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// For a server on this machine.
    pub(crate) fn server(&self) -> Certified {
        self.server_until(4000)
    }

    /// The same, until the first of January of `year`.
    pub(crate) fn server_until(&self, year: i32) -> Certified {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.certify(params)
    }

    /// For a client.
    pub(crate) fn client(&self, name: &str) -> Certified {
        self.client_until(name, 4000)
    }

    pub(crate) fn client_until(&self, name: &str, year: i32) -> Certified {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.certify(params)
    }

    fn certify(&self, params: CertificateParams) -> Certified {
        let key = KeyPair::generate().unwrap();
        Certified { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }
}

impl Certified {
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }
}

/// A client that trusts servers of `authority`, and shows what it has.
#[derive(Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    pub(crate) fn new(authority: &Authority, shows: Option<&Certified>) -> Self {
        Self::speaking(authority, shows, rustls::DEFAULT_VERSIONS)
    }

    /// One that speaks these versions of TLS only.
    pub(crate) fn speaking(
        authority: &Authority,
        shows: Option<&Certified>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut anchors = RootCertStore::empty();
        anchors.add(authority.der()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(anchors);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(shown) => {
                let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![shown.der().clone()], key).unwrap()
            }
        };
        config.resumption = Resumption::in_memory_sessions(8);
        Self { config: Arc::new(config) }
    }

    /// Shakes hands. With TLS 1.3 a client is done before the server has looked at its certificate.
    pub(crate) async fn connect(&self, address: SocketAddr) -> std::io::Result<Raw<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::from(address.ip());
        Ok(Raw::new(TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?))
    }

    /// The status of the answer to this request on a connection of its own; none where there is no connection.
    pub(crate) async fn ask(&self, address: SocketAddr, request: &str) -> Option<u16> {
        let mut raw = self.connect(address).await.ok()?;
        raw.try_send(request).await.ok()?;
        Some(raw.answer().await?.0)
    }
}
