//! Which keys an issuer has, which of them it shows and with which it signs; and what it showed before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::error::CommandError;
use crate::key::{LabKey, Wrapper};
use crate::visitor::Visitor;

/// How many JWK Sets of the past are kept for [`crate::command::Lag`].
const HISTORY: usize = 1024;

/// Keys and their places. Cloning it copies pointers, so that a command is tried on a copy.
#[derive(Clone, Debug)]
pub(crate) struct KeyRing {
    issuer: String,
    keys: BTreeMap<String, Arc<LabKey>>,
    wrappers: BTreeMap<String, Arc<Wrapper>>,
    published: Vec<String>,
    signing: String,
    pub(crate) beside: Vec<Value>,
    pub(crate) empty: bool,
    /// Whether a key is only shown until the certificate around it is over.
    pub(crate) drop_expired: bool,
    nodes: Vec<Vec<String>>,
}

/// The JWK Sets of an issuer at one time: one for each node.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    since: Instant,
    sets: Arc<[Bytes]>,
}

/// A key as the control API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct KeyState {
    /// Its name.
    pub name: String,
    /// `alg`.
    pub algorithm: &'static str,
    /// Whether it is in the JWK Set.
    pub published: bool,
    /// Whether it signs.
    pub signing: bool,
}

impl KeyRing {
    /// All published; the first one signs. The certificates around them go by their names.
    pub(crate) fn new(issuer: &str, keys: Vec<LabKey>, wrappers: BTreeMap<String, Arc<Wrapper>>) -> Self {
        let published: Vec<_> = keys.iter().map(|key| key.name.clone()).collect();
        Self {
            issuer: issuer.to_owned(),
            signing: published.first().cloned().unwrap_or_default(),
            published,
            keys: keys.into_iter().map(|key| (key.name.clone(), Arc::new(key))).collect(),
            wrappers,
            beside: Vec::new(),
            empty: false,
            drop_expired: false,
            nodes: Vec::new(),
        }
    }

    pub(crate) fn key(&self, name: &str) -> Result<&Arc<LabKey>, CommandError> {
        self.keys.get(name).ok_or_else(|| CommandError::UnknownKey {
            kid: name.to_owned(),
            issuer: self.issuer.clone(),
            keys: self.keys.keys().cloned().collect(),
        })
    }

    pub(crate) fn signing(&self) -> Result<&Arc<LabKey>, CommandError> {
        self.key(&self.signing)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<LabKey>> {
        self.keys.values()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    pub(crate) fn add(&mut self, key: Arc<LabKey>) -> Result<(), CommandError> {
        if self.has(&key.name) {
            return Err(CommandError::KeyExists { kid: key.name.clone(), issuer: self.issuer.clone() });
        }
        self.keys.insert(key.name.clone(), key);
        Ok(())
    }

    /// Shows this certificate around a key from now on.
    pub(crate) fn wrap(&mut self, name: &str, wrapper: Arc<Wrapper>) -> Result<(), CommandError> {
        let name = self.key(name)?.name.clone();
        self.wrappers.insert(name, wrapper);
        Ok(())
    }

    pub(crate) fn publish(&mut self, name: &str) -> Result<(), CommandError> {
        self.key(name)?;
        if !self.published.iter().any(|published| published == name) {
            self.published.push(name.to_owned());
        }
        Ok(())
    }

    pub(crate) fn sign_with(&mut self, name: &str) -> Result<(), CommandError> {
        self.signing = self.key(name)?.name.clone();
        Ok(())
    }

    pub(crate) fn withdraw(&mut self, name: &str) -> Result<(), CommandError> {
        self.key(name)?;
        self.published.retain(|published| published != name);
        Ok(())
    }

    /// What each node shows; none: all show the same.
    pub(crate) fn set_nodes(&mut self, nodes: &[Vec<String>]) -> Result<(), CommandError> {
        for name in nodes.iter().flatten() {
            self.key(name)?;
        }
        self.nodes = nodes.to_vec();
        Ok(())
    }

    /// Forgets a key that neither signs nor is shown.
    pub(crate) fn forget(&mut self, name: &str) {
        let shown = self.published.iter().chain(self.nodes.iter().flatten()).any(|shown| shown == name);
        if !shown && self.signing != name {
            self.keys.remove(name);
            self.wrappers.remove(name);
        }
    }

    pub(crate) fn states(&self) -> Vec<KeyState> {
        let state = |key: &Arc<LabKey>| KeyState {
            name: key.name.clone(),
            algorithm: key.algorithm.name(),
            published: self.published.contains(&key.name),
            signing: self.signing == key.name,
        };
        self.keys.values().map(state).collect()
    }

    /// The JWK Set of each node.
    fn sets(&self, wall: i64) -> Arc<[Bytes]> {
        if self.nodes.is_empty() {
            return Arc::new([self.set(&self.published, wall)]);
        }
        self.nodes.iter().map(|names| self.set(names, wall)).collect()
    }

    fn set(&self, names: &[String], wall: i64) -> Bytes {
        if self.empty {
            return Bytes::from_static(b"{\"keys\":[]}");
        }
        let good = names.iter().filter_map(|name| self.shown(name, wall));
        let keys: Vec<Value> = self.beside.iter().cloned().chain(good).collect();
        json!({ "keys": keys }).to_string().into()
    }

    /// The JWK of a key with the certificate around it; none where that took the key along.
    fn shown(&self, name: &str, wall: i64) -> Option<Value> {
        let jwk = self.keys.get(name)?.jwk();
        let Some(wrapper) = self.wrappers.get(name) else {
            return Some(jwk.clone());
        };
        (!self.drop_expired || !wrapper.is_over(wall)).then(|| wrapper.around(jwk))
    }
}

/// A key ring, and the JWK Sets that it made until now.
#[derive(Debug)]
pub(crate) struct State {
    ring: KeyRing,
    now: Published,
    past: VecDeque<Published>,
    /// The clients', and the doctors'.
    turns: [usize; 2],
}

impl State {
    pub(crate) fn new(ring: KeyRing, wall: i64) -> Self {
        let now = Published { since: Instant::now(), sets: ring.sets(wall) };
        Self { ring, now, past: VecDeque::new(), turns: [0; 2] }
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// What is shown from now on. It is `wall` now.
    pub(crate) fn replace(&mut self, ring: KeyRing, wall: i64) {
        self.ring = ring;
        self.look(wall);
    }

    /// Keeps what is shown, where that changes by a command or by a certificate's end.
    fn look(&mut self, wall: i64) {
        let sets = self.ring.sets(wall);
        if sets == self.now.sets {
            return;
        }
        let before = std::mem::replace(&mut self.now, Published { since: Instant::now(), sets });
        if self.past.len() == HISTORY {
            self.past.pop_front();
        }
        self.past.push_back(before);
    }

    /// The JWK Set as it was then, or the oldest one known: from one node, then from the next. It is `wall` now.
    pub(crate) fn set_at(&mut self, then: Option<Instant>, wall: i64, visitor: Visitor) -> Bytes {
        // A certificate's end is noticed when somebody asks, and nobody else could see it.
        if self.ring.drop_expired {
            self.look(wall);
        }
        let newest_first = std::iter::once(&self.now).chain(self.past.iter().rev());
        let was = newest_first.clone().find(|published| then.is_some_and(|then| published.since <= then));
        let published = was.or_else(|| newest_first.last()).unwrap_or(&self.now);
        let turn = visitor.own(&self.turns).checked_rem(published.sets.len()).unwrap_or(0);
        let set = published.sets.get(turn).cloned().unwrap_or_default();
        *visitor.own_mut(&mut self.turns) = turn.wrapping_add(1);
        set
    }
}
