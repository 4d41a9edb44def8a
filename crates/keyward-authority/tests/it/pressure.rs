//! A storage that is used more than it can bear, or by somebody who hangs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::clock::SystemClock;
use keyward_authority::authority::Authority;
use keyward_authority::observer::{Observer, StorageWrite};
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::{Action, Actor, Change, Entity, Kind, Position, Store};
use keyward_authority::view::View;
use tokio::time::Instant;

use crate::bench::{Bench, conformance};

conformance! {
    who_waits_for_a_command_is_told_soon_and_reads_go_on
    what_is_over_is_forgotten_in_batches
    what_the_database_takes_and_refuses_is_told_to_whoever_counts
}

fn actor() -> Actor {
    Actor("test".to_owned())
}

fn put(id: &str) -> Change {
    let entity = Entity { kind: Kind("key"), realm: "main".to_owned(), id: id.to_owned() };
    Change { action: Action("test.put"), entity, body: Some("{}".to_owned()) }
}

async fn commit(store: &Store, id: &str) -> Position {
    let mut command = store.command(actor(), 0).await.unwrap();
    command.append(&put(id)).await.unwrap();
    command.commit().await.unwrap()
}

async fn who_waits_for_a_command_is_told_soon_and_reads_go_on(bench: Bench) {
    let store = bench.open().await;
    commit(&store, "a").await;
    let mut hanging = store.command(actor(), 0).await.unwrap();
    hanging.append(&put("never")).await.unwrap();
    let begun = Instant::now();
    let waiting: Vec<_> = (0..12)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.command(actor(), 0).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    let entity = put("a").entity;
    while waiting.iter().any(|waiting| !waiting.is_finished()) {
        let asked = Instant::now();
        assert_eq!(store.read(&entity).await.unwrap().as_deref(), Some("{}"));
        assert!(asked.elapsed() < Duration::from_secs(1), "no read waits for a command");
        assert!(begun.elapsed() < Duration::from_secs(3), "who waits is told soon");
        tokio::task::yield_now().await;
    }
    for waited in waiting {
        assert!(waited.await.unwrap().is_err());
    }
    drop(hanging);
    assert_eq!(commit(&store, "b").await, Position(2));
}

async fn what_is_over_is_forgotten_in_batches(bench: Bench) {
    let store = bench.open().await;
    for n in 0..2300 {
        assert!(store.use_once(&format!("{n}"), n / 10).await.unwrap());
    }
    store.keep_token("main", "a", 5, "{}").await.unwrap();
    store.keep_token("other", "a", 6, "{}").await.unwrap();
    assert_eq!(store.forget_used(219).await.unwrap(), 2200);
    assert!(store.use_once("0", 999).await.unwrap() && !store.use_once("2200", 999).await.unwrap());
    assert_eq!(store.forget_tokens(5).await.unwrap(), 1);
    assert!(store.token("main", "a").await.unwrap().is_none());
    assert!(store.token("other", "a").await.unwrap().is_some());
}

/// What was counted, by name.
#[derive(Debug, Default)]
struct Counted(Mutex<Vec<&'static str>>);

impl Counted {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Counted {
    fn committed(&self, what: StorageWrite, took: Duration) {
        assert!(took > Duration::ZERO);
        self.0.lock().unwrap().push(what.label());
    }

    fn storage_failed(&self, kind: &'static str) {
        self.0.lock().unwrap().push(kind);
    }

    fn waited_for_head(&self, _waited: Duration) {
        self.0.lock().unwrap().push("head");
    }
}

async fn what_the_database_takes_and_refuses_is_told_to_whoever_counts(bench: Bench) {
    let (store, counted) = (bench.open().await, Arc::new(Counted::default()));
    let clock = Arc::new(SystemClock::new());
    let keys = Arc::new(LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap()));
    let view = View::new(store.clone(), Arc::clone(&clock) as _, 10);
    let authority = Authority::new(view, clock, &"https://issuer.example".parse().unwrap(), keys);
    let _observed = authority.with_observer(Arc::clone(&counted) as _);
    commit(&store, "a").await;
    assert!(store.use_once("a", 1).await.unwrap());
    assert_eq!(counted.take(), ["head", "command", "uses"]);
    let held = store.command(actor(), 0).await.unwrap();
    assert!(store.command(actor(), 0).await.is_err());
    drop(held);
    let told = counted.take();
    // Whichever bound is met first: all are 2 s.
    assert!(matches!(&told[..], ["head", "busy" | "no_connection" | "refused", "head"]), "{told:?}");
    let handle = store.clone();
    store.close().await;
    assert!(handle.head().await.is_err() && handle.use_once("b", 1).await.is_err());
    assert_eq!(counted.take(), ["ending", "ending"]);
}

/// As a node does that the network has cut off in the middle of a command.
#[tokio::test]
async fn who_hangs_in_a_command_does_not_hold_the_head_for_ever() {
    let Some(bench) = Bench::postgres("who_hangs_in_a_command").await else { return };
    let (one, other) = (bench.open().await, bench.open().await);
    let mut hanging = one.command(actor(), 0).await.unwrap();
    hanging.append(&put("never")).await.unwrap();
    let begun = Instant::now();
    let mut command = loop {
        match other.command(actor(), 0).await {
            Ok(command) => break command,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(8)),
        }
    };
    command.append(&put("a")).await.unwrap();
    assert_eq!(command.commit().await.unwrap(), Position(1));
    assert!(hanging.commit().await.is_err());
    assert_eq!((other.head().await.unwrap(), other.verify().await.unwrap()), (Position(1), vec![]));
}

/// How many commands there are in a second: `KEYWARD_MEASURE=1 cargo test -p keyward-authority -- measured --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_a_second_are_measured() {
    if std::env::var("KEYWARD_MEASURE").is_err() {
        return;
    }
    let benches = [Some(Bench::sqlite()), Bench::postgres("commands_are_measured").await];
    for bench in benches.into_iter().flatten() {
        let stores = if bench.is_shared() {
            vec![bench.open().await, bench.open().await]
        } else {
            vec![bench.open().await]
        };
        for writers in [1, 4, 16] {
            let (begun, head) = (Instant::now(), stores[0].head().await.unwrap().0);
            let tasks: Vec<_> = (0..writers)
                .map(|writer| {
                    let store = stores[writer % stores.len()].clone();
                    tokio::spawn(async move {
                        while begun.elapsed() < Duration::from_secs(3) {
                            commit(&store, &format!("{writer}")).await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let commands = stores[0].head().await.unwrap().0 - head;
            println!("{:?}: {writers} writers, {} commands/s", bench.address, commands / 3);
        }
    }
}

/// How much is used once in a second: `KEYWARD_MEASURE=1 cargo test -p keyward-authority -- measured --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uses_in_a_second_are_measured() {
    if std::env::var("KEYWARD_MEASURE").is_err() {
        return;
    }
    let benches = [Some(Bench::sqlite()), Bench::postgres("uses_are_measured").await];
    for bench in benches.into_iter().flatten() {
        let store = bench.open().await;
        for callers in [1, 4, 16, 64] {
            let begun = Instant::now();
            let tasks: Vec<_> = (0..callers)
                .map(|caller| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        let mut used = 0;
                        while begun.elapsed() < Duration::from_secs(3) {
                            let name = format!("assertion/{callers}/{caller}/{used:040}");
                            assert!(store.use_once(&name, 1).await.unwrap());
                            used += 1;
                        }
                        used
                    })
                })
                .collect();
            let mut uses = 0;
            for task in tasks {
                uses += task.await.unwrap();
            }
            println!("{:?}: {callers} callers, {} uses/s", bench.address, uses / 3);
        }
    }
}
