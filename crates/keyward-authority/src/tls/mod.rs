//! TLS of the clients' listener: who we are, whose certificates we ask for, and what one is worth.

mod anchors;
mod any_client;

use std::fmt;
use std::sync::Arc;

use keyward_server::tls::provider;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

pub(crate) use anchors::ClientAnchors;
use any_client::AnyClient;

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asks {
    Everybody,
    Nobody,
    Optionally,
}

/// What the listener says in its handshakes, and what leads certificates of clients to a trust anchor. It never changes: a
/// reload makes another one, which the next connection gets.
#[derive(Clone)]
pub struct ListenerTls {
    config: Arc<ServerConfig>,
    anchors: Option<Arc<ClientAnchors>>,
    asks: Asks,
    not_after: i64,
}

impl ListenerTls {
    /// TLS 1.2 and 1.3 as rustls has them, and HTTP/1.1 inside. `not_after` is the last second of our chain.
    pub(crate) fn new(
        key: CertifiedKey,
        asks: Asks,
        anchors: Option<Arc<ClientAnchors>>,
        not_after: i64,
    ) -> Result<Self, rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match asks {
            Asks::Nobody => builder.with_no_client_auth(),
            Asks::Everybody | Asks::Optionally => {
                builder.with_client_cert_verifier(Arc::new(AnyClient::new(asks == Asks::Everybody)))
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if asks != Asks::Nobody {
            // A resumed session brings its client's certificate along without proof of its key: each connection shows it itself.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { config: Arc::new(config), anchors, asks, not_after })
    }

    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// The last second at which our own chain is valid, since 1970.
    pub(crate) fn not_after(&self) -> i64 {
        self.not_after
    }

    /// Whether clients are asked for a certificate.
    pub(crate) fn asks(&self) -> bool {
        self.asks != Asks::Nobody
    }

    /// Whether what a client presented leads to one of our anchors at `now`.
    pub(crate) fn trusts(&self, presented: &[CertificateDer<'_>], now: i64) -> bool {
        self.anchors.as_ref().is_some_and(|anchors| anchors.lead(presented, now))
    }
}

impl fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerTls").finish_non_exhaustive()
    }
}
