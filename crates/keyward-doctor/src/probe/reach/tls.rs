//! TLS with one address: trusted as the gateway trusts it, and looked at even where it is not.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use keyward::clock::Clock;
use keyward_x509::Certificate;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::plain::plain;
use crate::facts::{TlsFacts, TlsTrouble};

/// Whom an issuer's connections trust: the system's anchors, and its own.
#[derive(Clone)]
pub(super) struct Trust {
    verifier: Arc<Verifier>,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
}

impl Trust {
    /// `extra_anchors` is PEM.
    pub(super) fn new(extra_anchors: &[u8], clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let extra: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(extra_anchors).collect();
        let extra = extra.map_err(|error| error.to_string())?;
        let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider));
        let verifier = Arc::new(verifier.map_err(|error| error.to_string())?);
        Ok(Self { verifier, provider, clock: Arc::clone(clock) })
    }

    /// Shakes hands. There is a connection only where the server's certificate holds.
    pub(super) async fn shake_hands(
        &self,
        url: &Url,
        tcp: TcpStream,
        identity: Option<&Arc<CertifiedKey>>,
    ) -> (TlsFacts, Option<Secured>) {
        let witness = Arc::new(Witness { verifier: Arc::clone(&self.verifier), seen: OnceLock::new() });
        let asked = Arc::new(Asked { identity: identity.cloned(), was_asked: AtomicBool::new(false) });
        let shaken = match (self.config(&witness, &asked), server_name(url)) {
            (Ok(config), Some(name)) => TlsConnector::from(Arc::new(config)).connect(name, tcp).await,
            (Err(error), _) => Err(std::io::Error::other(error)),
            (_, None) => Err(std::io::Error::other("the host is no name that a certificate could be for")),
        };
        let mut facts = witness.seen.get().cloned().unwrap_or_default();
        match shaken {
            Ok(stream) => {
                let version = stream.get_ref().1.protocol_version();
                facts.version = version.and_then(|version| version.as_str()).map(dotted);
                (facts, Some(Secured { stream, asked }))
            }
            Err(error) => {
                facts.trouble = Some(trouble(&error, &asked));
                (facts, None)
            }
        }
    }

    fn config(&self, witness: &Arc<Witness>, asked: &Arc<Asked>) -> Result<ClientConfig, Error> {
        let time = Arc::new(Time(Arc::clone(&self.clock)));
        let mut config = ClientConfig::builder_with_details(Arc::clone(&self.provider), time)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(witness) as Arc<dyn ServerCertVerifier>)
            .with_client_cert_resolver(Arc::clone(asked) as Arc<dyn ResolvesClientCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A connection to a server whose certificate holds.
pub(super) struct Secured {
    pub(super) stream: TlsStream<TcpStream>,
    asked: Arc<Asked>,
}

impl Secured {
    /// What tells, after the handshake, why the server does not go on; a server says only then that it misses a certificate
    /// of ours (RFC 8446 §4.4.2.4).
    pub(super) fn refusal(&self) -> Refusal {
        Refusal(Arc::clone(&self.asked))
    }
}

/// Tells why a server does not go on after the handshake.
pub(super) struct Refusal(Arc<Asked>);

impl Refusal {
    /// The trouble behind `error`, where it is one of TLS.
    pub(super) fn trouble(&self, error: &(dyn std::error::Error + 'static)) -> Option<TlsTrouble> {
        alert(error).map(|alert| of_alert(alert, &self.0))
    }
}

/// Sees the server's certificates, and lets another one decide.
#[derive(Debug)]
struct Witness {
    verifier: Arc<Verifier>,
    seen: OnceLock<TlsFacts>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let _ = self.seen.set(described(end_entity, 1 + intermediates.len()));
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// The most names that are told of a certificate.
const NAMES: usize = 32;

fn described(end_entity: &CertificateDer<'_>, chain_length: usize) -> TlsFacts {
    let Ok(certificate) = Certificate::from_der(end_entity) else {
        return TlsFacts { chain_length, ..TlsFacts::default() };
    };
    let addresses = certificate.ip_addresses().iter().map(IpAddr::to_string);
    TlsFacts {
        subject: Some(plain(certificate.subject())),
        issuer: Some(plain(certificate.issuer())),
        names: certificate.dns_names().map(plain).chain(addresses).take(NAMES).collect(),
        not_before: Some(certificate.not_before()),
        not_after: Some(certificate.not_after()),
        chain_length,
        ..TlsFacts::default()
    }
}

/// Shows our certificate where the server asks for one, and remembers that it did.
#[derive(Debug)]
struct Asked {
    identity: Option<Arc<CertifiedKey>>,
    was_asked: AtomicBool,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.identity.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The wall clock that was handed in.
struct Time(Arc<dyn Clock>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().wall.0).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

fn server_name(url: &Url) -> Option<ServerName<'static>> {
    match url.host()? {
        Host::Domain(name) => ServerName::try_from(name.to_owned()).ok(),
        Host::Ipv4(address) => Some(IpAddr::from(address).into()),
        Host::Ipv6(address) => Some(IpAddr::from(address).into()),
    }
}

/// rustls writes `TLSv1_3`.
fn dotted(version: &str) -> String {
    version.replace('_', ".")
}

fn trouble(error: &std::io::Error, asked: &Asked) -> TlsTrouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(error)) => of_certificate(error),
        Some(Error::AlertReceived(alert)) => of_alert(*alert, asked),
        Some(error) => TlsTrouble::Other(plain(&error.to_string())),
        None => TlsTrouble::Other(plain(&error.to_string())),
    }
}

fn of_certificate(error: &CertificateError) -> TlsTrouble {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsTrouble::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsTrouble::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsTrouble::NameMismatch
        }
        // The second is what an anchor comes to whose name is right and whose key is another.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsTrouble::Untrusted,
        _ => TlsTrouble::Other(plain(&error.to_string())),
    }
}

fn of_alert(alert: AlertDescription, asked: &Asked) -> TlsTrouble {
    use AlertDescription::{BadCertificate, CertificateRequired, HandshakeFailure};
    let was_missed = asked.was_asked.load(Ordering::Relaxed) && asked.identity.is_none();
    match alert {
        CertificateRequired => TlsTrouble::ClientCertificateWanted,
        BadCertificate | HandshakeFailure if was_missed => TlsTrouble::ClientCertificateWanted,
        _ => TlsTrouble::Other(Error::AlertReceived(alert).to_string()),
    }
}

/// The alert behind an error; an I/O error does not count what it wraps among its sources.
fn alert(error: &(dyn std::error::Error + 'static)) -> Option<AlertDescription> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Error::AlertReceived(alert)) = error.downcast_ref::<Error>() {
            return Some(*alert);
        }
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
