//! A master key that is changed, or lost.

use std::sync::Arc;

use keyward_authority::config::Config;
use keyward_authority::server::{Node as Server, RunError};
use keyward_authority::signing::{
    KeyState, KeyStore, KeyStoreError, LocalKeys, MasterKey, Resealed, first_closed, reseal, rotate_now,
    withdraw_closed,
};
use keyward_authority::storage::StoreAddress;

use super::node::{Node, REALM, TestClock, actor, realm};
use crate::bench::{Bench, conformance};

conformance! {
    every_key_is_sealed_anew_and_signs_on_and_a_second_time_nothing_is_left_to_do
    a_node_that_rotates_meanwhile_loses_nothing
    the_keys_of_a_lost_master_key_are_withdrawn_and_others_sign
}

fn master(digit: &str) -> MasterKey {
    MasterKey::parse(&digit.repeat(64)).unwrap()
}

/// Seals with the first, and opens with all.
fn keys(digits: &[&str]) -> Arc<dyn KeyStore> {
    let further = digits[1..].iter().map(|digit| master(digit)).collect();
    Arc::new(LocalKeys::new(master(digits[0])).with_further(further))
}

/// Another node at the same database, with these master keys.
fn beside(node: &Node, digits: &[&str]) -> Node {
    Node::new(node.store().clone(), node.clock.clone(), keys(digits))
}

/// A node whose realm has keys that sign and one that is going to.
async fn node_with_keys(bench: &Bench) -> Node {
    let node = Node::new(bench.open().await, TestClock::new(), keys(&["a"]));
    node.create(&realm(&["ES256", "RS256"])).await;
    node.clock.pass(1500);
    node.turn().await;
    assert_eq!(node.kids(KeyState::Published).await.len(), 2);
    node
}

async fn under(node: &Node) -> Vec<String> {
    let mut under: Vec<_> = node.keys(REALM).await.into_iter().filter_map(|key| key.private.under).collect();
    under.sort_unstable();
    under.dedup();
    under
}

async fn every_key_is_sealed_anew_and_signs_on_and_a_second_time_nothing_is_left_to_do(bench: Bench) {
    let old = node_with_keys(&bench).await;
    let first = old.sign(REALM).await;
    assert_eq!(under(&old).await, [master("a").id().to_string()]);
    let both = beside(&old, &["b", "a"]);
    assert_eq!(first_closed(&both.authority).await.unwrap(), None);
    let new = beside(&old, &["b"]);
    let closed = first_closed(&new.authority).await.unwrap().unwrap();
    assert_eq!((closed.realm.as_str(), closed.state), (REALM, KeyState::Active));
    assert_eq!(closed.cause, KeyStoreError::MasterKeyAbsent { id: master("a").id() });
    let said = closed.to_string();
    assert!(said.contains(&master("a").id().to_string()) && said.contains(&closed.kid), "{said}");

    let done = reseal(&both.authority, &actor()).await.unwrap();
    assert_eq!(done, Resealed { sealed: 4, ..Resealed::default() });
    assert_eq!(under(&both).await, [master("b").id().to_string()]);
    let again = reseal(&both.authority, &actor()).await.unwrap();
    assert_eq!(again, Resealed { unchanged: 4, ..Resealed::default() });
    let said = both.actions().await;
    assert_eq!(said.iter().filter(|action| *action == "signing_key.resealed").count(), 4);
    // What was open stays so, and the new one alone opens all.
    for node in [&old, &both, &new] {
        assert_eq!(node.sign(REALM).await, first);
    }
    assert_eq!(first_closed(&new.authority).await.unwrap(), None);
    assert!(first_closed(&beside(&old, &["a"]).authority).await.unwrap().is_some());
    assert_eq!(new.store().verify().await.unwrap(), []);
}

async fn a_node_that_rotates_meanwhile_loses_nothing(bench: Bench) {
    let one = node_with_keys(&bench).await;
    let store = if bench.is_shared() { bench.open().await } else { one.store().clone() };
    let other = Node::new(store, one.clock.clone(), keys(&["b", "a"]));
    let both = beside(&one, &["a", "b"]);
    for round in 0..4 {
        let (resealing, rotating) = if round % 2 == 0 { (&other, &both) } else { (&both, &other) };
        let operator = actor();
        let (resealed, again, rotated) = tokio::join!(
            reseal(&resealing.authority, &operator),
            reseal(&resealing.authority, &operator),
            rotate_now(&rotating.authority, actor(), REALM),
        );
        rotated.unwrap();
        assert_eq!((resealed.unwrap().closed, again.unwrap().closed), (vec![], vec![]));
        one.clock.pass(700);
        rotating.turn().await;
        assert_eq!(one.kids(KeyState::Active).await.len(), 2);
        assert_eq!(other.sign(REALM).await, both.sign(REALM).await);
    }
    assert_eq!(reseal(&other.authority, &actor()).await.unwrap().closed, []);
    assert_eq!(first_closed(&beside(&one, &["b"]).authority).await.unwrap(), None);
    assert_eq!(one.store().verify().await.unwrap(), []);
}

async fn the_keys_of_a_lost_master_key_are_withdrawn_and_others_sign(bench: Bench) {
    let old = node_with_keys(&bench).await;
    let before = old.published(REALM).await;
    let new = beside(&old, &["b"]);
    let done = reseal(&new.authority, &actor()).await.unwrap();
    assert_eq!((done.sealed, done.unchanged, done.closed.len()), (0, 0, 4));
    assert_eq!(old.published(REALM).await, before);
    withdraw_closed(&new.authority, &actor(), &done.closed).await.unwrap();
    assert!(!before.contains(&new.sign(REALM).await));
    assert!(new.published(REALM).await.iter().all(|kid| !before.contains(kid)));
    assert_eq!(new.kids(KeyState::Active).await.len(), 2);
    assert_eq!(first_closed(&new.authority).await.unwrap(), None);
    assert_eq!(under(&new).await.len(), 2, "what is withdrawn stays as it is");
}

#[tokio::test]
async fn a_key_from_before_names_were_kept_is_opened_by_whichever_master_key_fits() {
    let sealing = keys(&["a"]);
    let new = sealing.generate("main", keyward_jose::Algorithm::Es256).await.unwrap();
    let (kid, algorithm) = (new.jwk.kid().unwrap(), keyward_jose::Algorithm::Es256);
    let mut private = new.private.clone();
    private.under = None;
    let opened = keys(&["b", "c", "a"]).open("main", kid, algorithm, &private).await;
    assert!(opened.is_ok());
    let resealed = keys(&["b", "a"]).reseal("main", kid, algorithm, &private).await.unwrap().unwrap();
    assert_eq!(resealed.under, Some(master("b").id().to_string()));
    // One that says that it is under another than it is.
    private.under = resealed.under;
    let refused = keys(&["b", "a"]).open("main", kid, algorithm, &private).await;
    assert_eq!(refused.err(), Some(KeyStoreError::Sealed));
    private.under = Some("no name".to_owned());
    assert_eq!(sealing.check(&private), Err(KeyStoreError::Sealed));
}

#[tokio::test]
async fn a_node_without_the_master_key_of_a_key_that_signs_does_not_start() {
    let bench = Bench::sqlite();
    node_with_keys(&bench).await.store().clone().close().await;
    let StoreAddress::Sqlite(path) = &bench.address else { panic!("it is SQLite") };
    let config = |key_store: &str| {
        let text = format!(
            "[authority]\norigin = \"http://127.0.0.1\"\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             [storage]\naddress = \"sqlite:{}\"\n[key_store]\n{key_store}",
            path.display()
        );
        Config::parse(&text, path.parent().unwrap(), |name| Some(name.to_lowercase().repeat(64))).unwrap()
    };
    let refused = Server::bind(config("master_key_environment = \"B\"")).await;
    let Err(RunError::KeyClosed(closed)) = refused else { panic!("{refused:?}") };
    assert_eq!(closed.cause, KeyStoreError::MasterKeyAbsent { id: master("a").id() });
    let both = "master_key_environment = \"B\"\nfurther_master_key_environments = [\"C\", \"A\"]";
    let node = loop {
        match Server::bind(config(both)).await {
            Ok(node) => break node,
            // The one before lets go of it in its own time.
            Err(RunError::Store(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    node.serve(async {}).await;
}
