//! One suite for every engine: here SQLite, and PostgreSQL where `KEYWARD_TEST_POSTGRES` names one.

use std::sync::Arc;

use keyward_authority::storage::{
    Action, Actor, Change, Difference, Entity, Kind, Position, Store, StoreError,
};

const KEY: Kind = Kind("key");

fn entity(id: &str) -> Entity {
    Entity { kind: KEY, realm: "main".to_owned(), id: id.to_owned() }
}

fn put(id: &str, body: &str) -> Change {
    Change { action: Action("key.put"), entity: entity(id), body: Some(body.to_owned()) }
}

fn delete(id: &str) -> Change {
    Change { action: Action("key.deleted"), entity: entity(id), body: None }
}

fn actor() -> Actor {
    Actor("test".to_owned())
}

async fn commit(store: &Store, changes: &[Change]) -> Position {
    let mut command = store.command(actor(), 7).await.unwrap();
    for change in changes {
        command.append(change).await.unwrap();
    }
    command.commit().await.unwrap()
}

async fn sqlite(folder: &tempfile::TempDir) -> Store {
    let address = format!("sqlite:{}", folder.path().join("authority.db").display()).parse().unwrap();
    Store::open(&address).await.unwrap()
}

#[tokio::test]
async fn state_and_event_are_one_and_what_was_dropped_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    assert_eq!(commit(&store, &[put("a", "1"), put("b", "2")]).await, Position(2));
    let mut dropped = store.command(actor(), 8).await.unwrap();
    dropped.append(&put("a", "9")).await.unwrap();
    drop(dropped);
    assert_eq!(commit(&store, &[put("a", "3"), delete("b")]).await, Position(4));
    assert_eq!(store.read(&entity("a")).await.unwrap().as_deref(), Some("3"));
    assert_eq!(store.read(&entity("b")).await.unwrap(), None);
    let events = store.events(Position(0), 100).await.unwrap();
    let said: Vec<_> = events.iter().map(|e| (e.position.0, e.id.as_str(), e.body.as_deref())).collect();
    assert_eq!(said, [(1, "a", Some("1")), (2, "b", Some("2")), (3, "a", Some("3")), (4, "b", None)]);
    assert_eq!((store.head().await.unwrap(), store.verify().await.unwrap()), (Position(4), vec![]));
}

#[tokio::test]
async fn many_writers_leave_no_gap_and_a_follower_skips_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(sqlite(&folder).await);
    let follower = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let mut seen = Vec::new();
            while seen.len() < 200 {
                let after = seen.last().copied().unwrap_or_default();
                seen.extend(store.events(after, 7).await.unwrap().iter().map(|event| event.position));
            }
            seen
        }
    });
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for turn in 0..25 {
                    if turn % 3 == 0 {
                        let mut rolled_back = store.command(actor(), 1).await.unwrap();
                        rolled_back.append(&put("nobody", "x")).await.unwrap();
                    }
                    commit(&store, &[put(&format!("{writer}"), &format!("{turn}"))]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let expected: Vec<_> = (1..=200).map(Position).collect();
    assert_eq!(follower.await.unwrap(), expected);
    assert_eq!(store.verify().await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_rebuild_makes_the_state_what_the_log_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    commit(&store, &[put("a", "1"), put("b", "2"), put("a", "3"), delete("b")]).await;
    assert_eq!(store.rebuild().await.unwrap(), Position(4));
    assert_eq!(store.read(&entity("a")).await.unwrap().as_deref(), Some("3"));
    assert_eq!(store.verify().await.unwrap(), Vec::<Difference>::new());
    commit(&store, &[put("c", "4")]).await;
    assert_eq!(store.verify().await.unwrap(), vec![]);
}

#[tokio::test]
async fn one_process_alone_has_a_file_and_finds_it_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    commit(&store, &[put("a", "1")]).await;
    let address = format!("sqlite:{}", folder.path().join("authority.db").display()).parse().unwrap();
    assert!(matches!(Store::open(&address).await, Err(StoreError::InUse { .. })));
    store.close().await;
    let again = Store::open(&address).await.unwrap();
    assert_eq!(again.read(&entity("a")).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn what_may_be_used_once_is_used_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    assert!(store.use_once("jti", 100).await.unwrap());
    assert!(!store.use_once("jti", 200).await.unwrap());
    assert_eq!(store.forget_used(99).await.unwrap(), 0);
    assert_eq!(store.forget_used(100).await.unwrap(), 1);
    assert!(store.use_once("jti", 300).await.unwrap());
}
