//! B21 against chance: who follows the log skips nothing, whatever becomes of those who write it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_authority::storage::{Action, Actor, Change, Entity, Event, Kind, Position, Store};
use tokio::time::sleep;

use super::chance::Chance;
use super::nodes::Nodes;
use crate::bench::Bench;

const WRITERS: u64 = 8;
const FOR: u64 = 4_000_000_000;

/// What became of commands, by actor.
#[derive(Default)]
struct Fates {
    last: AtomicU64,
    /// The position of the last event, and how many there were.
    committed: Mutex<HashMap<u64, (Position, i64)>>,
    dropped: Mutex<HashSet<u64>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_on_sqlite_skip_nothing_though_writers_are_killed() {
    followers_skip_nothing(Bench::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_on_postgres_skip_nothing_though_writers_are_killed() {
    if let Some(bench) = Bench::postgres("followers_skip_nothing").await {
        followers_skip_nothing(bench).await;
    }
}

async fn followers_skip_nothing(bench: Bench) {
    let chance = Chance::new("followers_skip_nothing");
    let nodes = Nodes::start(&bench, 3).await;
    let fates = Arc::new(Fates::default());
    let (stopped, stop) = tokio::sync::watch::channel(Position(i64::MAX));
    let mut followers = Vec::new();
    for _ in 0..3 {
        followers.push(tokio::spawn(follow(nodes.store().await, stop.clone())));
    }
    let trouble = tokio::spawn(Arc::clone(&nodes).trouble(chance.another(), 4));
    let end = nodes.now() + FOR;
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write(Arc::clone(&nodes), Arc::clone(&fates), chance.another(), end)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    trouble.abort();
    let store = nodes.store().await;
    let head = loop {
        // A command that was cut off may be over only now: this one waits for it.
        if let Ok(command) = store.command(Actor("last".to_owned()), 0).await {
            break command.head();
        }
    };
    stopped.send_replace(head);
    let (committed, dropped) =
        (fates.committed.lock().unwrap().clone(), fates.dropped.lock().unwrap().clone());
    println!("{head:?}: {} committed, {} dropped", committed.len(), dropped.len());
    assert!(committed.len() > 30 && !dropped.is_empty());
    for follower in followers {
        let events = follower.await.unwrap();
        let positions: Vec<_> = events.iter().map(|event| event.position.0).collect();
        assert_eq!(positions, (1..=head.0).collect::<Vec<_>>());
        let mut of: HashMap<u64, Vec<i64>> = HashMap::new();
        for event in &events {
            of.entry(event.actor.parse().unwrap()).or_default().push(event.position.0);
        }
        for (actor, (last, count)) in &committed {
            let all: Vec<_> = (last.0 - count + 1..=last.0).collect();
            assert_eq!(of.get(actor), Some(&all), "what was committed is there, and together");
        }
        assert!(dropped.iter().all(|actor| !of.contains_key(actor)), "what was dropped never was");
    }
    assert_eq!(store.verify().await.unwrap(), vec![]);
}

async fn write(nodes: Arc<Nodes>, fates: Arc<Fates>, chance: Chance, end: u64) {
    while nodes.now() < end {
        let Some(node) = nodes.any(&chance) else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let (actor, count) = (fates.last.fetch_add(1, Ordering::Relaxed), 1 + chance.below(3));
        let is_dropped = chance.below(3) == 0;
        let store = node.authority.view().store().clone();
        let id = chance.below(20).to_string();
        let written = node.run(async move {
            let mut command = store.command(Actor(actor.to_string()), 0).await.ok()?;
            for _ in 0..count {
                let entity = Entity { kind: Kind("key"), realm: "main".to_owned(), id: id.clone() };
                let body = Some(actor.to_string());
                command.append(&Change { action: Action("test"), entity, body }).await.ok()?;
                tokio::task::yield_now().await;
            }
            if is_dropped { None } else { command.commit().await.ok() }
        });
        let written = written.await.flatten();
        if let Some(last) = written {
            let count = i64::try_from(count).unwrap();
            fates.committed.lock().unwrap().insert(actor, (last, count));
        }
        if is_dropped {
            fates.dropped.lock().unwrap().insert(actor);
        }
    }
}

/// All events, a few at a time, until the end is known and reached.
async fn follow(store: Store, stop: tokio::sync::watch::Receiver<Position>) -> Vec<Event> {
    let mut seen: Vec<Event> = Vec::new();
    loop {
        let after = seen.last().map_or(Position(0), |event| event.position);
        if after >= *stop.borrow() {
            return seen;
        }
        match store.events(after, 7).await {
            Ok(events) if events.is_empty() => sleep(Duration::from_millis(1)).await,
            Ok(events) => seen.extend(events),
            // Its connection was cut.
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}
