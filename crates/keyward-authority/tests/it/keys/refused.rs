//! What operators ask for: keys that are replaced, withdrawn, and not withdrawn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward_authority::cause::Cause;
use keyward_authority::entity::SealedKey;
use keyward_authority::signing::{
    KeyState, KeyStore, KeyStoreError, LocalKeys, MasterKey, NewKey, RotationError, Task, retire, rotate_now,
    turn, withdraw_compromised,
};
use keyward_jose::{Algorithm, Signer};

use super::node::{BEGIN, Node, REALM, TestClock, actor, local_keys, realm};
use crate::bench::{Bench, conformance};

conformance! {
    a_key_that_is_replaced_signs_until_its_successor_is_known
    a_key_is_not_withdrawn_while_it_is_needed
    a_compromised_key_is_gone_at_once_and_its_successor_signs_at_once
    a_node_with_another_master_key_makes_no_keys_until_the_old_ones_are_given_up
    a_key_is_opened_once_though_others_come_and_go
}

async fn a_key_that_is_replaced_signs_until_its_successor_is_known(bench: Bench) {
    let node = Node::of(&bench).await;
    node.create(&realm(&["ES256"])).await;
    let first = node.sign(REALM).await;
    node.clock.pass(10);
    for _ in 0..3 {
        rotate_now(&node.authority, actor(), REALM).await.unwrap();
    }
    let next = node.kid(KeyState::Published).await;
    // It is published for what is set, and for what clocks may differ by.
    assert_eq!(node.turn().await, Some(BEGIN + 10 + 660));
    node.clock.pass(659);
    node.turn().await;
    assert_eq!(node.sign(REALM).await, first);
    node.clock.pass(1);
    node.turn().await;
    assert_eq!(node.sign(REALM).await, next);
    let said = ["generated", "activated", "replacement_asked", "generated", "activated", "passive"];
    assert_eq!(node.actions().await, said.map(|action| format!("signing_key.{action}")));
    let unknown = rotate_now(&node.authority, actor(), "other").await;
    assert!(matches!(unknown, Err(RotationError::RealmUnknown)), "{unknown:?}");
}

async fn a_key_is_not_withdrawn_while_it_is_needed(bench: Bench) {
    let node = Node::of(&bench).await;
    node.create(&realm(&["ES256"])).await;
    let first = node.kid(KeyState::Active).await;
    let ask = async |kid: &str| retire(&node.authority, actor(), REALM, kid).await;
    assert!(matches!(ask(&first).await, Err(RotationError::StillSigns { .. })));
    assert!(matches!(ask("other").await, Err(RotationError::KeyUnknown { .. })));
    node.clock.pass(1500);
    node.turn().await;
    // What never signed may go; another is made, since one is due.
    let unused = node.kid(KeyState::Published).await;
    ask(&unused).await.unwrap();
    assert_eq!(node.kids(KeyState::Retired).await, [unused]);
    assert_eq!(node.published(REALM).await.len(), 2);
    node.clock.pass(700);
    node.turn().await;
    assert_eq!(node.kid(KeyState::Passive).await, first);
    let good_until = node.clock.seconds() + 300 + 185;
    match ask(&first).await {
        Err(RotationError::StillGood { until, .. }) => assert_eq!(until, good_until),
        other => panic!("{other:?}"),
    }
    node.clock.pass(485);
    ask(&first).await.unwrap();
    ask(&first).await.unwrap();
    assert!(node.kids(KeyState::Retired).await.contains(&first));
    assert!(!node.published(REALM).await.contains(&first));
    let retired = node.actions().await.iter().filter(|action| *action == "signing_key.retired").count();
    assert_eq!(retired, 2);
}

async fn a_compromised_key_is_gone_at_once_and_its_successor_signs_at_once(bench: Bench) {
    let node = Node::of(&bench).await;
    node.create(&realm(&["ES256", "EdDSA"])).await;
    let compromised = node.sign(REALM).await;
    let ring = node.authority.ring(REALM).await.unwrap();
    let token = ring.sign("at+jwt", b"{}", Some("ES256")).await.unwrap();
    withdraw_compromised(&node.authority, actor(), REALM, &compromised).await.unwrap();
    let successor = node.sign(REALM).await;
    assert_ne!(successor, compromised);
    assert!(!node.published(REALM).await.contains(&compromised));
    let ring = node.authority.ring(REALM).await.unwrap();
    assert_eq!(ring.verify(token.as_bytes(), "at+jwt"), None);
    assert!(ring.sign("at+jwt", b"{}", Some("ES256")).await.is_ok());
    // Where one was published already it is that one.
    node.clock.pass(1500);
    node.turn().await;
    let published = node.kids(KeyState::Published).await;
    withdraw_compromised(&node.authority, actor(), REALM, &successor).await.unwrap();
    assert!(published.contains(&node.sign(REALM).await));
    // Again is once, and of what never signed nothing else has to.
    let said = node.actions().await.len();
    withdraw_compromised(&node.authority, actor(), REALM, &successor).await.unwrap();
    assert_eq!(node.actions().await.len(), said);
    let unknown = withdraw_compromised(&node.authority, actor(), REALM, "other").await;
    assert!(matches!(unknown, Err(RotationError::KeyUnknown { .. })), "{unknown:?}");
}

async fn a_node_with_another_master_key_makes_no_keys_until_the_old_ones_are_given_up(bench: Bench) {
    let node = Node::of(&bench).await;
    node.create(&realm(&["ES256"])).await;
    let first = node.sign(REALM).await;
    let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0e".repeat(32)).unwrap()));
    let other = Node::new(node.store().clone(), node.clock.clone(), keys);
    // Others verify what the right nodes sign.
    assert_eq!(other.published(REALM).await, std::slice::from_ref(&first));
    let ring = other.authority.ring(REALM).await.unwrap();
    assert_eq!(ring.sign("at+jwt", b"{}", None).await, Err(Cause::Unavailable));
    node.clock.pass(1500);
    let refused = turn(&other.authority, REALM).await;
    assert!(matches!(refused, Err(RotationError::KeyStore { kid: Some(_), .. })), "{refused:?}");
    assert!(rotate_now(&other.authority, actor(), REALM).await.is_err());
    assert_eq!(node.keys(REALM).await.len(), 1);
    // The old master key is lost: a new one begins with this.
    withdraw_compromised(&other.authority, actor(), REALM, &first).await.unwrap();
    assert_ne!(other.sign(REALM).await, first);
}

#[derive(Debug)]
struct Counting {
    keys: Arc<dyn KeyStore>,
    opened: AtomicUsize,
}

impl KeyStore for Counting {
    fn label(&self) -> &'static str {
        self.keys.label()
    }

    fn generate<'a>(&'a self, realm: &'a str, algorithm: Algorithm) -> Task<'a, NewKey> {
        self.keys.generate(realm, algorithm)
    }

    fn check(&self, key: &SealedKey) -> Result<(), KeyStoreError> {
        self.keys.check(key)
    }

    fn reseal<'a>(
        &'a self,
        realm: &'a str,
        kid: &'a str,
        algorithm: Algorithm,
        key: &'a SealedKey,
    ) -> Task<'a, Option<SealedKey>> {
        self.keys.reseal(realm, kid, algorithm, key)
    }

    fn open<'a>(
        &'a self,
        realm: &'a str,
        kid: &'a str,
        algorithm: Algorithm,
        key: &'a SealedKey,
    ) -> Task<'a, Arc<dyn Signer>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.keys.open(realm, kid, algorithm, key)
    }
}

async fn a_key_is_opened_once_though_others_come_and_go(bench: Bench) {
    let keys = Arc::new(Counting { keys: local_keys(), opened: AtomicUsize::new(0) });
    let node = Node::new(bench.open().await, TestClock::new(), Arc::clone(&keys) as _);
    node.create(&realm(&["ES256"])).await;
    for _ in 0..3 {
        node.sign(REALM).await;
    }
    assert_eq!(keys.opened.load(Ordering::SeqCst), 1);
    let mut eddsa = realm(&["ES256", "EdDSA"]);
    eddsa.name = "second".to_owned();
    node.create(&eddsa).await;
    node.sign("second").await;
    node.put(REALM, &realm(&["ES256", "EdDSA"])).await;
    let before = keys.opened.load(Ordering::SeqCst);
    // Before it makes a key a node sees whether it can open those that sign.
    node.turn().await;
    assert_eq!(keys.opened.load(Ordering::SeqCst), before + 1);
    node.sign(REALM).await;
    assert_eq!(keys.opened.load(Ordering::SeqCst), before + 1);
}
