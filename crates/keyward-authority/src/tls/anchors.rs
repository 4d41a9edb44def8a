//! Which certificates of clients lead to a trust anchor (RFC 8705 §2.1).

use std::sync::{Arc, PoisonError, RwLock};

use keyward_x509::{Certificate, PRESENTED_LIMIT, Purpose, Revocation, TrustStore};
use rustls::pki_types::CertificateDer;

/// The declared anchors for clients.
#[derive(Debug)]
pub(crate) struct ClientAnchors {
    /// Sorted anew when an anchor is over, or becomes valid.
    store: RwLock<Arc<TrustStore>>,
}

impl ClientAnchors {
    pub(crate) fn new(store: TrustStore) -> Self {
        Self { store: RwLock::new(Arc::new(store)) }
    }

    /// Whether `presented`, the client's own first, lead to an anchor at `now`.
    pub(crate) fn lead(&self, presented: &[CertificateDer<'_>], now: i64) -> bool {
        if presented.is_empty() || presented.len() > PRESENTED_LIMIT {
            return false;
        }
        let presented: Vec<_> = presented.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
        let store = self.store_at(now);
        keyward_x509::verify(&store, &presented, Purpose::ClientAuth, now, &Revocation::none()).is_ok()
    }

    fn store_at(&self, now: i64) -> Arc<TrustStore> {
        let store = Arc::clone(&self.store.read().unwrap_or_else(PoisonError::into_inner));
        if store.changes_at().is_none_or(|moment| now < moment) {
            return store;
        }
        let store = Arc::new(store.resorted(now));
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&store);
        store
    }
}
