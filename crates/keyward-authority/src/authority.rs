//! What every endpoint and every operation works with.

use std::sync::Arc;

use keyward::clock::Clock;
use url::Url;

use crate::cause::Cause;
use crate::client_auth::ClientAuth;
use crate::entity::Realm;
use crate::signing::{KeyRings, KeyStore};
use crate::view::{View, ViewError};

/// The authority of one node. Clones are the same.
#[derive(Clone, Debug)]
pub struct Authority {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    view: View,
    clock: Arc<dyn Clock>,
    client_auth: ClientAuth,
    /// `https://host`, without a slash at its end.
    origin: String,
    key_rings: KeyRings,
}

impl Authority {
    /// An authority that clients know as `origin`, of which only scheme, host and port count, and whose private keys are in
    /// `keys`.
    pub fn new(view: View, clock: Arc<dyn Clock>, origin: &Url, keys: Arc<dyn KeyStore>) -> Self {
        let (origin, key_rings) = (origin.origin().ascii_serialization(), KeyRings::new(keys));
        let client_auth = ClientAuth::new(Arc::clone(&clock));
        Self { inner: Arc::new(Inner { view, clock, client_auth, origin, key_rings }) }
    }

    /// What this node knows.
    pub fn view(&self) -> &View {
        &self.inner.view
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Where the private keys of its realms are.
    pub fn key_store(&self) -> &Arc<dyn KeyStore> {
        self.inner.key_rings.store()
    }

    pub(crate) fn key_rings(&self) -> &KeyRings {
        &self.inner.key_rings
    }

    /// What the authentication of clients keeps in mind.
    pub fn client_auth(&self) -> &ClientAuth {
        &self.inner.client_auth
    }

    /// The issuer identifier of a realm (RFC 8414 §2).
    pub fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.inner.origin)
    }

    /// The realm of this name, where there is one and it answers.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn realm(&self, name: &str) -> Result<Option<Arc<Realm>>, ViewError> {
        Ok(self.view().find::<Realm>(name, name).await?.filter(|realm| realm.enabled))
    }
}

impl From<ViewError> for Cause {
    /// What cannot be known is never said to be not there. Why is logged where it happened.
    fn from(error: ViewError) -> Self {
        tracing::warn!(event = "storage_unavailable", "a request cannot be decided: {error}");
        Self::Unavailable
    }
}
