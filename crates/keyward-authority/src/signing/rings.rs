//! Every realm's keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyward::MonoTime;

use super::error::SigningError;
use super::ring::{KeyRing, PrivateKey, RingKeys};
use super::store::KeyStore;
use crate::authority::Authority;
use crate::entity::{Realm, SigningKey};
use crate::refusal_log::Lines;

/// The keys of every realm that somebody asked for, with the private ones that were opened.
#[derive(Debug)]
pub(crate) struct KeyRings {
    store: Arc<dyn KeyStore>,
    /// What signs or is going to, by realm: a change of one key does not close the others.
    opened: Mutex<HashMap<String, Vec<Arc<PrivateKey>>>>,
    /// Of requests for which nothing is signed.
    lines: Lines,
}

impl KeyRings {
    pub(crate) fn new(store: Arc<dyn KeyStore>) -> Self {
        Self { store, opened: Mutex::default(), lines: Lines::default() }
    }

    pub(crate) fn store(&self) -> &Arc<dyn KeyStore> {
        &self.store
    }

    pub(super) async fn ring(&self, authority: &Authority, realm: &str) -> Result<KeyRing, SigningError> {
        let settings = self.settings(authority, realm).await?;
        self.ring_of(authority, &settings).await
    }

    /// The same of a realm that was found.
    pub(super) async fn ring_of(
        &self,
        authority: &Authority,
        realm: &Arc<Realm>,
    ) -> Result<KeyRing, SigningError> {
        let make = |keys| self.make(&realm.name, keys);
        let keys = authority.view().made_of::<SigningKey, RingKeys>(&realm.name, "", make).await?;
        KeyRing::new(authority, Arc::clone(realm), keys)
    }

    /// The same by the log's head.
    pub(super) async fn ring_now(&self, authority: &Authority, realm: &str) -> Result<KeyRing, SigningError> {
        let settings = self.settings(authority, realm).await?;
        let make = |keys| self.make(realm, keys);
        let keys = authority.view().made_of_now::<SigningKey, RingKeys>(realm, "", make).await?;
        KeyRing::new(authority, settings, keys)
    }

    async fn settings(&self, authority: &Authority, realm: &str) -> Result<Arc<Realm>, SigningError> {
        match authority.realm(realm).await? {
            Some(settings) => Ok(settings),
            None => {
                self.forget(realm);
                Err(SigningError::NoActiveKey)
            }
        }
    }

    /// Logs why a request finds nothing that signs, so many times a second. What the storage does not do it has logged itself.
    pub(super) fn tell(&self, error: &SigningError, now: MonoTime) {
        if !matches!(error, SigningError::View(_))
            && let Some(left_out) = self.lines.admit(now)
        {
            tracing::warn!(event = "signing_unavailable", left_out, "nothing can be signed: {error}");
        }
    }

    /// Lets go of the private keys of a realm that does not answer.
    fn forget(&self, realm: &str) {
        self.lock().remove(realm);
    }

    fn make(&self, realm: &str, keys: Vec<SigningKey>) -> RingKeys {
        let mut opened = self.lock();
        let before = opened.remove(realm).unwrap_or_default();
        let known = |kid: &str| before.iter().find(|key| key.kid() == kid).cloned();
        let made = RingKeys::new(Arc::clone(&self.store), realm, keys, known);
        // What signs no more is let go of, and wiped.
        let signing: Vec<_> = made.signing().cloned().collect();
        if !signing.is_empty() {
            opened.insert(realm.to_owned(), signing);
        }
        made
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<PrivateKey>>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{LocalKeys, MasterKey};

    #[test]
    fn a_flood_of_requests_that_nothing_is_signed_for_is_cut_and_counted() {
        let keys = LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap());
        let rings = KeyRings::new(Arc::new(keys));
        (0..1000).for_each(|_| rings.tell(&SigningError::NoActiveKey, MonoTime(1)));
        assert_eq!(rings.lines.admit(MonoTime(1)), None);
        assert_eq!(rings.lines.admit(MonoTime(1_000_000_001)), Some(981));
    }
}
