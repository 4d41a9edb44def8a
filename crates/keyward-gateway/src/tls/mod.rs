//! TLS of our own listeners: who we are, and whose certificates we ask for.

mod client_verifier;

use std::fmt;
use std::sync::Arc;

use keyward::clock::{Clock, SystemClock};
use keyward_server::tls::provider;
use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;

pub(crate) use client_verifier::ClientVerifier;

/// What one listener says in its handshakes. It never changes: a reload makes another one, which the next
/// connection gets.
#[derive(Clone)]
pub struct ListenerTls {
    config: Arc<ServerConfig>,
    not_after: i64,
}

impl ListenerTls {
    /// TLS 1.2 and 1.3 as rustls has them, and HTTP/1.1 inside. `clients` verifies certificates of clients; without it,
    /// none is asked for. `not_after` is the last second of the chain.
    pub(crate) fn new(
        key: CertifiedKey,
        clients: Option<Arc<ClientVerifier>>,
        not_after: i64,
    ) -> Result<Self, rustls::Error> {
        let clock = Arc::new(WallClock(SystemClock::new()));
        let builder =
            ServerConfig::builder_with_details(provider(), clock).with_safe_default_protocol_versions()?;
        let asks = clients.is_some();
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if asks {
            // A resumed session brings its client's certificate along and verifies nothing: neither against the
            // anchors of now, nor whether it is still valid. So each connection shows its certificate itself.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Self { config: Arc::new(config), not_after })
    }

    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// The last second at which our own chain is valid.
    pub(crate) fn not_after(&self) -> i64 {
        self.not_after
    }
}

impl fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerTls").finish_non_exhaustive()
    }
}

/// The machine's clock, for the validity of clients' certificates.
#[derive(Debug)]
struct WallClock(SystemClock);

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().wall.0).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}
