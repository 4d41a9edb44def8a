//! Nodes of one authority, each with a clock of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use keyward::clock::Clock;
use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::authority::Authority;
use keyward_authority::entity::{Kept, Realm, SigningKey};
use keyward_authority::signing::{self, KeyState, KeyStore, LocalKeys, MasterKey, NewKeys, Rounds};
use keyward_authority::storage::{Action, Actor, Change, Position, Store};
use keyward_authority::view::View;

use crate::bench::Bench;

pub(super) const REALM: &str = "main";

/// When every test begins, in seconds since 1970.
pub(super) const BEGIN: i64 = 1_800_000_000;

/// A clock that goes when it is told to, `ahead` of what time it is.
#[derive(Clone, Debug)]
pub(super) struct TestClock {
    time: Arc<AtomicI64>,
    ahead: i64,
}

impl TestClock {
    pub(super) fn new() -> Self {
        Self { time: Arc::new(AtomicI64::new(BEGIN)), ahead: 0 }
    }

    pub(super) fn ahead(&self, ahead: i64) -> Self {
        Self { time: Arc::clone(&self.time), ahead }
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) fn seconds(&self) -> i64 {
        self.time.load(Ordering::SeqCst) + self.ahead
    }
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        Now { wall: UnixTime(self.seconds()), mono: MonoTime(1) }
    }
}

pub(super) fn local_keys() -> Arc<dyn KeyStore> {
    Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap()))
}

pub(super) struct Node {
    pub(super) authority: Authority,
    pub(super) clock: TestClock,
    pub(super) rounds: Rounds,
}

impl Node {
    pub(super) fn new(store: Store, clock: TestClock, keys: Arc<dyn KeyStore>) -> Self {
        // Nobody follows the log for it, so that it remembers nothing: each look is at the database.
        let view = View::new(store, Arc::new(clock.clone()), 1000);
        let origin = "https://issuer.example".parse().unwrap();
        let authority = Authority::new(view, Arc::new(clock.clone()), &origin, keys);
        let rounds = Rounds::new(authority.clone());
        Self { authority, clock, rounds }
    }

    pub(super) async fn of(bench: &Bench) -> Self {
        Self::new(bench.open().await, TestClock::new(), local_keys())
    }

    pub(super) fn store(&self) -> &Store {
        self.authority.view().store()
    }

    /// A realm with its first keys.
    pub(super) async fn create(&self, realm: &Realm) {
        let new = NewKeys::for_realm(self.authority.key_store(), realm).await.unwrap();
        let now = self.clock.seconds();
        let mut command = self.store().command(Actor("test".to_owned()), now * 1000).await.unwrap();
        command.append(&put(&realm.name, realm)).await.unwrap();
        signing::begin(&mut command, realm, new, UnixTime(now)).await.unwrap();
        command.commit().await.unwrap();
    }

    pub(super) async fn put<K: Kept>(&self, realm: &str, kept: &K) {
        let mut command = self.store().command(Actor("test".to_owned()), 0).await.unwrap();
        command.append(&put(realm, kept)).await.unwrap();
        command.commit().await.unwrap();
    }

    /// What is due now, for as long as something is.
    pub(super) async fn turn(&self) -> Option<i64> {
        signing::turn(&self.authority, REALM).await.unwrap()
    }

    pub(super) async fn keys(&self, realm: &str) -> Vec<SigningKey> {
        let listed = self.store().list(SigningKey::KIND, realm, "", "", 1000).await.unwrap();
        listed.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect()
    }

    pub(super) async fn kids(&self, state: KeyState) -> Vec<String> {
        let keys = self.keys(REALM).await;
        keys.into_iter().filter(|key| key.times.state() == state).map(|key| key.kid).collect()
    }

    /// The one key in this state.
    pub(super) async fn kid(&self, state: KeyState) -> String {
        let kids = self.kids(state).await;
        assert_eq!(kids.len(), 1, "{state:?}: {kids:?}");
        kids[0].clone()
    }

    /// What the log says of keys, in its order.
    pub(super) async fn actions(&self) -> Vec<String> {
        let events = self.store().events(Position(0), 10_000).await.unwrap();
        events.into_iter().filter(|event| event.kind == "signing_key").map(|event| event.action).collect()
    }

    /// The kid of a token that is signed now, and can be verified by what is published.
    pub(super) async fn sign(&self, realm: &str) -> String {
        let ring = self.authority.ring(realm).await.unwrap();
        let token = ring.sign("at+jwt", br#"{"sub":"robot"}"#, None).await.unwrap();
        assert_eq!(ring.verify(token.as_bytes(), "at+jwt").as_deref(), Some(&br#"{"sub":"robot"}"#[..]));
        let mut buffer = keyward_jose::DecodeBuffer::new();
        let jws = keyward_jose::Jws::parse(token.as_bytes(), 10_000, &mut buffer).unwrap();
        jws.header().kid().unwrap().to_owned()
    }

    /// The kids of the published set.
    pub(super) async fn published(&self, realm: &str) -> Vec<String> {
        let ring = self.authority.ring(realm).await.unwrap();
        let set: serde_json::Value = serde_json::from_slice(ring.jwk_set()).unwrap();
        let keys = set["keys"].as_array().unwrap();
        assert!(!keys.is_empty());
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

fn put<K: Kept>(realm: &str, kept: &K) -> Change {
    let body = Some(serde_json::to_string(kept).unwrap());
    Change { action: Action("test.put"), entity: kept.entity(realm), body }
}

/// A realm whose keys come and go fast.
pub(super) fn realm(algorithms: &[&str]) -> Realm {
    let mut realm = Realm::new(REALM);
    realm.rotation.algorithms = algorithms.iter().map(|&name| name.to_owned()).collect();
    (realm.rotation.publish_for, realm.rotation.sign_for) = (600, 2000);
    realm
}

pub(super) fn actor() -> Actor {
    Actor("operator".to_owned())
}
