//! What every endpoint and every operation works with.

use std::sync::Arc;

use keyward::binding::BindingSettings;
use keyward::clock::Clock;
use keyward::fetch::Transport;
use url::Url;

use crate::cause::Cause;
use crate::client_auth::ClientAuth;
use crate::entity::Realm;
use crate::key_sets::KeySets;
use crate::limits::FailureLimits;
use crate::observer::{Observer, Unobserved};
use crate::operations::is_realm_name;
use crate::signing::{KeyRings, KeyStore};
use crate::storage::StoreError;
use crate::token::Tokens;
use crate::view::{View, ViewError};

/// The authority of one node. Clones are the same.
#[derive(Clone, Debug)]
pub struct Authority {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    view: View,
    clock: Arc<dyn Clock>,
    client_auth: Arc<ClientAuth>,
    /// `https://host`, without a slash at its end.
    origin: String,
    key_rings: Arc<KeyRings>,
    key_sets: KeySets,
    observer: Arc<dyn Observer>,
    tokens: Tokens,
}

impl Authority {
    /// An authority that clients know as `origin`, of which only scheme, host and port count, and whose private keys are in
    /// `keys`.
    pub fn new(view: View, clock: Arc<dyn Clock>, origin: &Url, keys: Arc<dyn KeyStore>) -> Self {
        let inner = Inner {
            view,
            client_auth: Arc::new(ClientAuth::new(Arc::clone(&clock))),
            key_sets: KeySets::new(Arc::clone(&clock)),
            clock,
            origin: origin.origin().ascii_serialization(),
            key_rings: Arc::new(KeyRings::new(keys)),
            observer: Arc::new(Unobserved),
            tokens: Tokens::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The same, with somebody who is told what happens. Clones that were made before do not tell them.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        self.view().store().watch(Arc::clone(self.clock()), Arc::clone(&observer));
        let key_sets = self.key_sets().with_observer(Arc::clone(&observer));
        self.with(|inner| (inner.observer, inner.key_sets) = (observer, key_sets))
    }

    /// The same, with DPoP proofs that must be like this. Nodes behind one address that demand nonces share the `secret`.
    #[must_use]
    pub fn with_dpop(self, settings: BindingSettings, secret: &[u8; 32]) -> Self {
        let tokens = self.tokens().clone().with_dpop(settings, secret);
        self.with(|inner| inner.tokens = tokens)
    }

    /// The same, which reaches external signers, and keys at an address, by this.
    #[must_use]
    pub fn with_transport(self, transport: Arc<dyn Transport>) -> Self {
        let key_sets = self.key_sets().with_transport(Arc::clone(&transport));
        let tokens = self.tokens().clone().with_transport(transport);
        self.with(|inner| (inner.tokens, inner.key_sets) = (tokens, key_sets))
    }

    /// The same, in which clients and addresses may fail so often.
    #[must_use]
    pub fn with_failure_limits(self, limits: FailureLimits) -> Self {
        let client_auth = ClientAuth::new(Arc::clone(self.clock())).with_failure_limits(limits);
        self.with(|inner| inner.client_auth = Arc::new(client_auth))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.inner);
        change(&mut inner);
        Self { inner: Arc::new(inner) }
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

    /// The sets of keys that clients and service accounts have at an address.
    pub fn key_sets(&self) -> &KeySets {
        &self.inner.key_sets
    }

    /// Who is told what happens.
    pub fn observer(&self) -> &dyn Observer {
        &*self.inner.observer
    }

    /// What the token endpoints keep.
    pub fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    /// The issuer identifier of a realm (RFC 8414 §2).
    pub fn issuer(&self, realm: &str) -> String {
        [&self.inner.origin, "/realms/", realm].concat()
    }

    /// Whether this is the issuer identifier of a realm.
    pub(crate) fn is_issuer(&self, issuer: &str, realm: &str) -> bool {
        let path = issuer.strip_prefix(&self.inner.origin);
        path.and_then(|path| path.strip_prefix("/realms/")) == Some(realm)
    }

    /// The realm of this name, where there is one and it answers.
    ///
    /// # Errors
    /// [`ViewError`].
    pub async fn realm(&self, name: &str) -> Result<Option<Arc<Realm>>, ViewError> {
        // Strangers write it. PostgreSQL takes no text with a NUL, and calls that a failure.
        if !is_realm_name(name) {
            return Ok(None);
        }
        Ok(self.view().find::<Realm>(name, name).await?.filter(|realm| realm.enabled))
    }
}

impl From<ViewError> for Cause {
    /// What cannot be known is never said to be not there. The storage has logged why.
    fn from(_: ViewError) -> Self {
        Self::Unavailable
    }
}

impl From<StoreError> for Cause {
    fn from(_: StoreError) -> Self {
        Self::Unavailable
    }
}
