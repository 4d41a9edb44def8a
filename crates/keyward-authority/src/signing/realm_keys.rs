//! A realm's keys as the log has them, for whoever changes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lifecycle::{KeyRecord, KeyState, KeyTimes, LifecycleSettings};
use super::rotation_error::RotationError;
use super::store::{self, KeyStore, NewKey};
use crate::entity::{self, Kept, Realm, ResourceServer, SigningKey};
use crate::storage::{Action, Change, Command, Store, StoreError, Versioned};
use crate::view::ViewError;

/// How many entities are read at once.
const PAGE: u32 = 500;

/// Where they are read: as they are and stay until a command ends, or as they just were.
pub(super) enum Source<'a> {
    Command(&'a mut Command),
    Store(&'a Store),
}

/// A realm, its keys, and what its settings come to at a moment.
#[derive(Debug)]
pub(super) struct RealmKeys {
    pub(super) realm: Realm,
    pub(super) keys: Vec<SigningKey>,
    pub(super) settings: LifecycleSettings,
    /// In seconds since 1970.
    pub(super) now: i64,
}

impl RealmKeys {
    /// None where there is no such realm.
    pub(super) async fn read(
        source: &mut Source<'_>,
        realm: &str,
        now: i64,
    ) -> Result<Option<Self>, RotationError> {
        match source.read::<Realm>(realm, realm).await? {
            Some(realm) => Self::of(source, realm, now).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn of(source: &mut Source<'_>, realm: Realm, now: i64) -> Result<Self, RotationError> {
        let keys = source.all::<SigningKey>(&realm.name).await?;
        let servers = source.all::<ResourceServer>(&realm.name).await?;
        let lifetimes = servers.iter().filter_map(|server| server.access_token_lifetime);
        let longest = lifetimes.fold(realm.access_token_lifetime, u64::max);
        let settings = LifecycleSettings::of(&realm, longest);
        Ok(Self { realm, keys, settings, now })
    }

    pub(super) fn records(&self) -> Vec<KeyRecord> {
        self.keys.iter().map(record).collect()
    }

    pub(super) fn record(&self, kid: &str) -> Result<KeyRecord, RotationError> {
        let found = self.keys.iter().find(|key| key.kid == kid);
        found.map(record).ok_or_else(|| RotationError::KeyUnknown { kid: kid.to_owned() })
    }

    pub(super) fn find(&mut self, kid: &str) -> Result<&mut SigningKey, RotationError> {
        let found = self.keys.iter_mut().find(|key| key.kid == kid);
        found.ok_or_else(|| RotationError::KeyUnknown { kid: kid.to_owned() })
    }

    pub(super) fn in_state(&self, state: KeyState) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter().filter(move |key| key.times.state() == state)
    }

    pub(super) fn kids_in_state(&self, state: KeyState) -> Vec<String> {
        self.in_state(state).map(|key| key.kid.clone()).collect()
    }

    /// The one that has been known longest, beside `but`.
    pub(super) fn oldest_published(&self, algorithm: &str, but: &str) -> Option<String> {
        let others =
            self.in_state(KeyState::Published).filter(|key| key.algorithm == algorithm && key.kid != but);
        others.min_by_key(|key| (key.times.published_at, key.kid.as_str())).map(|key| key.kid.clone())
    }

    /// Of which algorithm another key has to sign at once where `kid` signs and is withdrawn.
    pub(super) fn algorithm_to_replace(&self, kid: &str) -> Option<String> {
        let key = self.in_state(KeyState::Active).find(|key| key.kid == kid)?;
        let another_signs = self.in_state(KeyState::Active).any(|other| other.kid != kid);
        if self.settings.algorithms.contains(&key.algorithm) {
            return Some(key.algorithm.clone());
        }
        // It is wanted no more, and signs until one does that is.
        if another_signs { None } else { self.settings.algorithms.first().cloned() }
    }

    /// Of which algorithm a key has to be made where `kid` is withdrawn.
    pub(super) fn wants_successor(&self, kid: &str) -> Option<String> {
        self.algorithm_to_replace(kid).filter(|algorithm| self.oldest_published(algorithm, kid).is_none())
    }

    pub(super) fn change(&mut self, action: Action, kid: &str) -> Result<Change, RotationError> {
        let realm = self.realm.name.clone();
        let key = self.find(kid)?;
        let entity = key.entity(&realm);
        let body = serde_json::to_string(key)
            .map_err(|cause| ViewError::Body { entity: entity.to_string(), cause })?;
        Ok(Change { action, entity, body: Some(body) })
    }
}

pub(super) fn record(key: &SigningKey) -> KeyRecord {
    let SigningKey { kid, algorithm, times, wrapper_not_after, .. } = key;
    let (kid, algorithm) = (kid.clone(), algorithm.clone());
    KeyRecord { kid, algorithm, times: *times, wrapper_not_after: *wrapper_not_after }
}

impl Source<'_> {
    async fn read<K: Kept>(&mut self, realm: &str, id: &str) -> Result<Option<K>, RotationError> {
        let name = entity::entity::<K>(realm, id);
        let body = match self {
            Self::Command(command) => command.read(&name).await?,
            Self::Store(store) => store.read(&name).await?,
        };
        Ok(body.map(|body| parse(id, &body)).transpose()?)
    }

    async fn all<K: Kept>(&mut self, realm: &str) -> Result<Vec<K>, RotationError> {
        let (mut kept, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.page::<K>(realm, &after).await?;
            let is_last = page.len() < PAGE as usize;
            for Versioned { id, body, .. } in page {
                kept.push(parse(&id, &body)?);
                after = id;
            }
            if is_last {
                return Ok(kept);
            }
        }
    }

    async fn page<K: Kept>(&mut self, realm: &str, after: &str) -> Result<Vec<Versioned>, StoreError> {
        match self {
            Self::Command(command) => command.page(K::KIND, realm, "", after, PAGE).await,
            Self::Store(store) => store.page(K::KIND, realm, "", after, PAGE).await,
        }
    }
}

fn parse<K: Kept>(name: &str, body: &str) -> Result<K, ViewError> {
    serde_json::from_str(body).map_err(|cause| ViewError::Body { entity: name.to_owned(), cause })
}

/// Keys that were made for a realm ahead of the command that publishes them. What it does not take is lost, and signed nothing.
#[derive(Debug)]
pub struct NewKeys {
    store: Arc<dyn KeyStore>,
    realm: String,
    made: BTreeMap<String, NewKey>,
}

impl NewKeys {
    /// The first keys of a realm that is going to be.
    ///
    /// # Errors
    /// [`RotationError::KeyStore`].
    pub async fn for_realm(store: &Arc<dyn KeyStore>, realm: &Realm) -> Result<Self, RotationError> {
        let mut new = Self::none(store, &realm.name);
        for algorithm in LifecycleSettings::of(realm, realm.access_token_lifetime).algorithms {
            new.make(&algorithm).await?;
        }
        Ok(new)
    }

    pub(super) fn none(store: &Arc<dyn KeyStore>, realm: &str) -> Self {
        Self { store: Arc::clone(store), realm: realm.to_owned(), made: BTreeMap::new() }
    }

    pub(super) async fn make(&mut self, algorithm: &str) -> Result<(), RotationError> {
        if !self.made.contains_key(algorithm) {
            let new = self.generate(algorithm).await?;
            self.made.insert(algorithm.to_owned(), new);
        }
        Ok(())
    }

    /// A key, published now. Where somebody else was faster it has to be made while the command holds the log's head.
    pub(super) async fn take(&mut self, algorithm: &str, now: i64) -> Result<SigningKey, RotationError> {
        let new = match self.made.remove(algorithm) {
            Some(new) => new,
            None => self.generate(algorithm).await?,
        };
        let NewKey { jwk, private } = new;
        let kid = jwk.kid().unwrap_or_default().to_owned();
        let jwk = serde_json::to_value(&jwk)
            .map_err(|cause| ViewError::Body { entity: format!("signing key {kid}"), cause })?;
        let (algorithm, times) = (algorithm.to_owned(), KeyTimes::published(now));
        Ok(SigningKey { kid, algorithm, jwk, times, wrapper_not_after: None, private })
    }

    async fn generate(&self, algorithm: &str) -> Result<NewKey, RotationError> {
        let refused = |cause| RotationError::KeyStore { kid: None, cause };
        let known = store::algorithm(algorithm)
            .ok_or_else(|| RotationError::AlgorithmUnknown { algorithm: algorithm.to_owned() })?;
        self.store.generate(&self.realm, known).await.map_err(refused)
    }
}
