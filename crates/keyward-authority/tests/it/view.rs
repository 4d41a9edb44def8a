//! What a node knows without asking: as it is, or as it was a moment ago, and never "not found" from memory.

use std::sync::Arc;
use std::time::Duration;

use keyward::clock::SystemClock;
use keyward_authority::entity::{Kept, Key, KeyOrigin, ServiceAccount};
use keyward_authority::storage::{Action, Actor, Change, Store};
use keyward_authority::view::{Follower, View};
use tokio::time::Instant;

use crate::bench::{Bench, conformance};

conformance! {
    what_another_node_adds_is_found_at_once
    what_another_node_changes_is_so_within_a_second_though_nobody_said_so
    what_is_made_of_several_is_made_again_when_one_changes_and_not_otherwise
    a_node_that_cannot_read_the_log_does_not_go_by_what_it_remembers
}

fn account(enabled: bool) -> ServiceAccount {
    let (audiences, scopes) = (vec![], vec![]);
    ServiceAccount {
        id: "robot".to_owned(),
        description: String::new(),
        enabled,
        audiences,
        scopes,
        jwks_uri: None,
    }
}

fn key(kid: &str) -> Key {
    Key {
        owner: "service_account/robot".to_owned(),
        kid: kid.to_owned(),
        jwk: serde_json::json!({}),
        enabled: true,
        expires_at: None,
        added_at: 0,
        origin: KeyOrigin::Uploaded,
    }
}

async fn put<K: Kept>(store: &Store, kept: &K) {
    let mut command = store.command(Actor("test".to_owned()), 0).await.unwrap();
    let body = Some(serde_json::to_string(kept).unwrap());
    command.append(&Change { action: Action("put"), entity: kept.entity("main"), body }).await.unwrap();
    command.commit().await.unwrap();
}

/// Two nodes: with SQLite two views of one store, with PostgreSQL two stores of one server.
async fn nodes(bench: &Bench) -> [(View, Follower); 2] {
    let first = bench.open().await;
    let second = if bench.is_shared() { bench.open().await } else { first.clone() };
    let node = |store| async move {
        let view = View::new(store, Arc::new(SystemClock::new()), 1000);
        let follower = Follower::start(&view).await.unwrap();
        (view, follower)
    };
    [node(first).await, node(second).await]
}

async fn is_enabled(view: &View) -> Option<bool> {
    view.find::<ServiceAccount>("main", "robot").await.unwrap().map(|account| account.enabled)
}

async fn what_another_node_adds_is_found_at_once(bench: Bench) {
    let [(one, _one), (other, _other)] = nodes(&bench).await;
    assert_eq!(is_enabled(&other).await, None);
    put(one.store(), &account(true)).await;
    assert_eq!(is_enabled(&other).await, Some(true));
}

async fn what_another_node_changes_is_so_within_a_second_though_nobody_said_so(bench: Bench) {
    let [(one, _one), (other, _other)] = nodes(&bench).await;
    for enabled in [true, false, true, false] {
        put(one.store(), &account(enabled)).await;
        let changed = Instant::now();
        while is_enabled(&other).await != Some(enabled) {
            assert!(changed.elapsed() < Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        // It is remembered by now, and was not for the first time.
        is_enabled(&other).await;
    }
}

async fn what_is_made_of_several_is_made_again_when_one_changes_and_not_otherwise(bench: Bench) {
    let [(one, _one), (other, _other)] = nodes(&bench).await;
    put(one.store(), &key("a")).await;
    let count = async || {
        let kids = |keys: Vec<Key>| keys.into_iter().map(|key| key.kid).collect::<Vec<_>>();
        other.made_of::<Key, Vec<String>>("main", "service_account/robot", kids).await.unwrap()
    };
    while !Arc::ptr_eq(&count().await, &count().await) {
        tokio::task::yield_now().await;
    }
    assert_eq!(*count().await, ["a"]);
    put(one.store(), &account(true)).await;
    put(one.store(), &key("b")).await;
    let changed = Instant::now();
    while *count().await != ["a", "b"] {
        assert!(changed.elapsed() < Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}

async fn a_node_that_cannot_read_the_log_does_not_go_by_what_it_remembers(bench: Bench) {
    let [(one, _one), (other, follower)] = nodes(&bench).await;
    put(one.store(), &account(true)).await;
    assert_eq!(is_enabled(&other).await, Some(true));
    drop(follower);
    let gone = Instant::now();
    put(one.store(), &account(false)).await;
    while is_enabled(&other).await == Some(true) {
        assert!(gone.elapsed() < Duration::from_secs(1), "it goes by what it remembers");
        tokio::task::yield_now().await;
    }
    other.store().clone().close().await;
    let closed = Instant::now();
    while other.find::<ServiceAccount>("main", "robot").await.is_ok() {
        assert!(closed.elapsed() < Duration::from_secs(1), "it goes by what it remembers");
        tokio::task::yield_now().await;
    }
}
