//! The log and the state, on every engine.

use std::sync::Arc;

use crate::bench::{Bench, conformance};
use keyward_authority::storage::{
    Action, Actor, Change, Difference, Entity, Kind, Position, Store, StoreAddress, StoreError,
};

const KEY: Kind = Kind("key");

conformance! {
    state_and_event_are_one_and_what_was_dropped_never_was
    many_writers_leave_no_gap_and_a_follower_skips_nothing
    a_rebuild_makes_the_state_what_the_log_says_while_it_serves
    what_may_be_used_once_is_used_once
    a_list_goes_on_where_it_ended
    what_the_log_does_not_say_is_found
}

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

async fn state_and_event_are_one_and_what_was_dropped_never_was(bench: Bench) {
    let store = bench.open().await;
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

async fn many_writers_leave_no_gap_and_a_follower_skips_nothing(bench: Bench) {
    let store = Arc::new(bench.open().await);
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

async fn a_rebuild_makes_the_state_what_the_log_says_while_it_serves(bench: Bench) {
    let store = Arc::new(bench.open().await);
    commit(&store, &[put("a", "1"), put("b", "2"), put("a", "3"), delete("b")]).await;
    let reader = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for _ in 0..200 {
                assert_eq!(store.read(&entity("a")).await.unwrap().as_deref(), Some("3"));
            }
        }
    });
    for _ in 0..5 {
        assert_eq!(store.rebuild().await.unwrap(), Position(4));
    }
    reader.await.unwrap();
    assert_eq!(store.verify().await.unwrap(), Vec::<Difference>::new());
    commit(&store, &[put("c", "4")]).await;
    assert_eq!(store.verify().await.unwrap(), vec![]);
}

async fn what_may_be_used_once_is_used_once(bench: Bench) {
    let store = bench.open().await;
    assert!(store.use_once("jti", 100).await.unwrap());
    assert!(!store.use_once("jti", 200).await.unwrap());
    assert_eq!(store.forget_used(99).await.unwrap(), 0);
    assert_eq!(store.forget_used(100).await.unwrap(), 1);
    assert!(store.use_once("jti", 300).await.unwrap());
}

async fn a_list_goes_on_where_it_ended(bench: Bench) {
    let store = bench.open().await;
    let names = ["client/a/1", "client/a/2", "client/a/3", "client/ab/1", "client/B/1", "client/%/1"];
    commit(&store, &names.map(|name| put(name, "{}"))).await;
    let list = |prefix: &'static str, after: &'static str| {
        let store = store.clone();
        async move {
            let listed = store.list(KEY, "main", prefix, after, 2).await.unwrap();
            listed.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        }
    };
    assert_eq!(list("client/a/", "").await, ["client/a/1", "client/a/2"]);
    assert_eq!(list("client/a/", "client/a/2").await, ["client/a/3"]);
    assert_eq!(list("client/%/", "").await, ["client/%/1"]);
}

async fn what_the_log_does_not_say_is_found(bench: Bench) {
    let store = bench.open().await;
    commit(&store, &[put("a", "1"), put("b", "2")]).await;
    store.close().await;
    sqlx::any::install_default_drivers();
    let address = match &bench.address {
        StoreAddress::Postgres(url) => url.to_string(),
        StoreAddress::Sqlite(path) => format!("sqlite://{}", path.display()),
    };
    let pool = sqlx::AnyPool::connect(&address).await.unwrap();
    for tampering in [
        "UPDATE state SET body = '9' WHERE id = 'a'",
        "INSERT INTO state (kind, realm, id, position, body) VALUES ('key', 'main', 'x', 1, '1')",
        "DELETE FROM event WHERE position = 2",
    ] {
        sqlx::raw_sql(tampering).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let found: Vec<_> = bench.open().await.verify().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "the head is at 2, the last event at 1, and there are 1 events",
            "key main a: not as its last event says",
            "key main a: no event says so",
            "key main b: no event says so",
            "key main x: no event says so",
        ]
    );
}

#[tokio::test]
async fn one_process_alone_has_a_file_and_finds_it_as_it_was() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    commit(&store, &[put("a", "1")]).await;
    assert!(matches!(Store::open(&bench.address).await, Err(StoreError::InUse { .. })));
    store.close().await;
    assert_eq!(bench.open().await.read(&entity("a")).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn a_file_may_be_called_anything() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["A b.db", "100%41.db", "what?mode=ro", "a#b", "\u{fc}/X.DB"] {
        let path = folder.path().join(name);
        let store = Store::open(&StoreAddress::Sqlite(path.clone())).await.unwrap();
        commit(&store, &[put("a", "1")]).await;
        let reader = Store::open_to_read(&StoreAddress::Sqlite(path.clone())).await.unwrap();
        assert_eq!(reader.head().await.unwrap(), Position(1));
        assert!(path.is_file(), "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_closed_is_free_though_somebody_still_holds_it() {
    let bench = Bench::sqlite();
    let store = bench.open().await;
    let held = store.clone();
    assert!(matches!(Store::open(&bench.address).await, Err(StoreError::InUse { .. })));
    store.close().await;
    let next = bench.open().await;
    assert_eq!(commit(&next, &[put("a", "1")]).await, Position(1));
    assert!(held.head().await.is_err() && held.command(actor(), 8).await.is_err());
}

/// The permission bits of what is in a folder, by name.
#[cfg(unix)]
fn modes(folder: &std::path::Path) -> Vec<(String, u32)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        (entry.file_name().into_string().unwrap(), mode)
    };
    let mut modes: Vec<_> = std::fs::read_dir(folder).unwrap().map(mode).collect();
    modes.sort_unstable();
    modes
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_of_a_database_are_their_owners_alone_from_their_first_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/authority.db");
    let address = StoreAddress::Sqlite(path.clone());
    assert_eq!(address.exposed(), []);
    let store = Store::open(&address).await.unwrap();
    commit(&store, &[put("a", "1")]).await;
    let names = ["authority.db", "authority.db-shm", "authority.db-wal", "authority.db.lock"];
    let expected = names.map(|name| (name.to_owned(), 0o600));
    assert_eq!(modes(path.parent().unwrap()), expected);
    assert_eq!(modes(folder.path()), [("data".to_owned(), 0o700)]);
    store.backup(&folder.path().join("backup"), |_| {}).await.unwrap();
    assert_eq!(modes(folder.path())[0], ("backup".to_owned(), 0o600));
    assert_eq!(address.exposed(), []);
}

#[cfg(unix)]
#[tokio::test]
async fn files_that_others_can_read_are_told_of_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::sqlite();
    let StoreAddress::Sqlite(path) = &bench.address else { panic!("it is SQLite") };
    let store = bench.open().await;
    commit(&store, &[put("a", "1")]).await;
    let mut beside = path.clone().into_os_string();
    beside.push("-wal");
    for exposed in [path.as_os_str(), &beside] {
        std::fs::set_permissions(exposed, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let told: Vec<_> = bench.address.exposed().iter().map(ToString::to_string).collect();
    let why = "has mode 0644, so that others than its owner can use it; 0600 is enough";
    assert_eq!(told, [format!("{} {why}", path.display()), format!("{}-wal {why}", path.display())]);
}
