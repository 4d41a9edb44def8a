//! What a view says of keys. An order is searched for, whatever the log says of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_authority::entity::{Kept, Key, KeyOrigin};
use keyward_authority::storage::{Action, Actor, Change, Position, Store};
use keyward_authority::view::View;
use tokio::time::sleep;

use super::SECOND;
use super::chance::Chance;
use super::checker::{Operation, Value, check};
use super::nodes::{Node, Nodes};
use crate::bench::Bench;

const KIDS: [&str; 4] = ["a", "b", "c", "d"];
const OWNER: &str = "service_account/robot";
const CLIENTS: u64 = 8;
const FOR: Duration = Duration::from_secs(6);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    Add,
    Delete,
    Disable,
    /// Whether it is in a list that is remembered, as introspection asks for what is revoked.
    Listed,
    /// Past every memory.
    Read,
    /// As the token endpoint looks for the key of an assertion.
    Sought,
}

/// How a command found a key, and how it wants to leave it; none where it leaves it alone.
type Tried = Option<(Value, Option<Value>)>;

/// What was asked of which key.
struct Record {
    id: u64,
    kid: usize,
    operation: Operation,
    /// None where nobody knows whether it happened.
    position: Option<Position>,
}

#[derive(Default)]
struct History {
    records: Mutex<Vec<Record>>,
    last: AtomicU64,
    refused: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn histories_on_sqlite_are_linearizable_though_nodes_die() {
    histories_are_linearizable(Bench::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn histories_on_postgres_are_linearizable_though_nodes_die_and_connections_are_cut() {
    if let Some(bench) = Bench::postgres("histories_are_linearizable").await {
        histories_are_linearizable(bench).await;
    }
}

async fn histories_are_linearizable(bench: Bench) {
    let chance = Chance::new("histories_are_linearizable");
    let nodes = Nodes::start(&bench, 3).await;
    let history = Arc::new(History::default());
    let trouble = tokio::spawn(Arc::clone(&nodes).trouble(chance.another(), 4));
    let end = nodes.now() + u64::try_from(FOR.as_nanos()).unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(ask(Arc::clone(&nodes), Arc::clone(&history), chance.another(), end)))
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert!(!trouble.is_finished());
    trouble.abort();
    let store = nodes.store().await;
    // A command that was cut off may be over only now: this one waits for it.
    while store.command(Actor("last".to_owned()), 0).await.is_err() {}
    let events = loop {
        if let Ok(events) = store.events(Position(0), 1_000_000).await {
            break events;
        }
    };
    assert_eq!(store.verify().await.unwrap(), vec![]);
    let logged: HashMap<u64, Position> =
        events.iter().map(|event| (event.actor.parse().unwrap(), event.position)).collect();
    assert_eq!(logged.len(), events.len(), "each command appended once");

    let records = std::mem::take(&mut *history.records.lock().unwrap());
    let (mut by_key, mut in_log, mut unknown) = (HashMap::<_, Vec<_>>::new(), 0, 0);
    for Record { id, kid, mut operation, position } in records {
        match (operation.left.is_some(), position, logged.get(&id)) {
            // It read, or it changed nothing.
            (false, ..) => {}
            (true, Some(said), Some(is)) if said == *is => in_log += 1,
            (true, None, is) => {
                unknown += 1;
                // It never happened, or it did at any time since.
                if is.is_none() {
                    continue;
                }
                in_log += 1;
                operation.ended = u64::MAX;
            }
            (_, said, is) => panic!("{operation:?} was said to be at {said:?} and is at {is:?}"),
        }
        by_key.entry(kid).or_default().push(operation);
    }
    assert_eq!(in_log, events.len(), "what was said to have failed did not happen");
    let all: usize = by_key.values().map(Vec::len).sum();
    let refused = history.refused.load(Ordering::Relaxed);
    println!("{all} operations, {in_log} of them changes, {unknown} cut, {refused} refused");
    assert!(all > 300 && in_log > 30, "{all} operations, {in_log} changes");
    for (kid, operations) in by_key {
        if let Err(why) = check(operations) {
            panic!("key {}: {why}", KIDS[kid]);
        }
    }
}

async fn ask(nodes: Arc<Nodes>, history: Arc<History>, chance: Chance, end: u64) {
    while nodes.now() < end {
        let Some(node) = nodes.any(&chance) else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let kid = chance.below(KIDS.len());
        let asked = match chance.below(16) {
            0 | 1 => Asked::Add,
            2 => Asked::Delete,
            3 => Asked::Disable,
            4 | 5 => Asked::Read,
            6..=9 => Asked::Listed,
            _ => Asked::Sought,
        };
        let id = history.last.fetch_add(1, Ordering::Relaxed);
        match asked {
            Asked::Add | Asked::Delete | Asked::Disable => {
                command(&nodes, &node, &history, asked, kid, id).await
            }
            _ => read(&nodes, &node, &history, asked, kid, id).await,
        }
        if chance.below(4) == 0 {
            sleep(Duration::from_millis(chance.next() % 30)).await;
        }
    }
}

async fn read(nodes: &Nodes, node: &Node, history: &History, asked: Asked, kid: usize, id: u64) {
    let (view, begun) = (node.authority.view().clone(), nodes.now());
    let answer = node.run(async move { look(&view, asked, KIDS[kid]).await }).await.flatten();
    let Some((saw, may_be_old)) = answer else {
        history.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let begun = if may_be_old { begun.saturating_sub(SECOND) } else { begun };
    let operation = Operation { what: label(asked), begun, ended: nodes.now(), saw, left: None };
    history.records.lock().unwrap().push(Record { id, kid, operation, position: None });
}

/// How the key is, and whether that may be a second old.
async fn look(view: &View, asked: Asked, kid: &'static str) -> Option<(Value, bool)> {
    let id = format!("{OWNER}/{kid}");
    if asked == Asked::Read {
        let body = view.store().read(&keyward_authority::entity::entity::<Key>("main", &id)).await.ok()?;
        return Some((body.as_deref().and_then(value), false));
    }
    let keys = view.made_of::<Key, Vec<Key>>("main", OWNER, |keys| keys).await.ok()?;
    match keys.iter().find(|key| key.kid == kid) {
        Some(key) => Some((Some((u64::try_from(key.added_at).unwrap(), key.enabled)), true)),
        None if asked == Asked::Listed => Some((None, true)),
        None => {
            let found = view.find::<Key>("main", &id).await.ok()?;
            let found = found.map(|key| (u64::try_from(key.added_at).unwrap(), key.enabled));
            // That it is not there is so now.
            Some((found, found.is_some()))
        }
    }
}

async fn command(nodes: &Nodes, node: &Node, history: &History, asked: Asked, kid: usize, id: u64) {
    let (store, begun) = (node.authority.view().store().clone(), nodes.now());
    let tried = Arc::new(Mutex::new(None));
    let done = {
        let tried = Arc::clone(&tried);
        node.run(async move { change(&store, asked, KIDS[kid], id, &tried).await }).await.flatten()
    };
    let ended = nodes.now();
    let tried = *tried.lock().unwrap();
    let Some((saw, left)) = tried else {
        history.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    // What found nothing to do was done when it had read.
    let operation = Operation { what: label(asked), begun, ended, saw, left };
    history.records.lock().unwrap().push(Record { id, kid, operation, position: done });
}

/// Does it, and says in `tried` what as soon as it may come to be.
async fn change(store: &Store, asked: Asked, kid: &str, id: u64, tried: &Mutex<Tried>) -> Option<Position> {
    let mut command = store.command(Actor(id.to_string()), 0).await.ok()?;
    let (owner, added_at) = (OWNER.to_owned(), i64::try_from(id).unwrap());
    let (jwk, origin) = (serde_json::json!({}), KeyOrigin::Uploaded);
    let key = Key { owner, kid: kid.to_owned(), jwk, enabled: true, expires_at: None, added_at, origin };
    let entity = key.entity("main");
    let saw = command.read(&entity).await.ok()?.as_deref().and_then(value);
    let left = match (asked, saw) {
        (Asked::Add, None) => Some((id, true)),
        (Asked::Disable, Some((_, true))) => Some((id, false)),
        (Asked::Delete, Some(_)) => None,
        _ => {
            *tried.lock().unwrap() = Some((saw, None));
            return None;
        }
    };
    let body = left.map(|(_, enabled)| serde_json::to_string(&Key { enabled, ..key }).unwrap());
    command.append(&Change { action: Action("test.changed"), entity, body }).await.ok()?;
    *tried.lock().unwrap() = Some((saw, Some(left)));
    command.commit().await.ok()
}

fn value(body: &str) -> Value {
    let key: Key = serde_json::from_str(body).unwrap();
    Some((u64::try_from(key.added_at).unwrap(), key.enabled))
}

const fn label(asked: Asked) -> &'static str {
    match asked {
        Asked::Add => "add",
        Asked::Delete => "delete",
        Asked::Disable => "disable",
        Asked::Listed => "listed",
        Asked::Read => "read",
        Asked::Sought => "sought",
    }
}
