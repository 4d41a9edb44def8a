//! What clients are told while administrators change things: whole nodes, over what they do when they are asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keyward_authority::entity::{Kept as _, RefreshFamily, kind};
use keyward_authority::storage::{Actor, Event, Position};
use serde_json::Value;
use tokio::time::sleep;

use super::chance::Chance;
use super::commands::{command, upheaval};
use super::endpoints::{ask_about_token, ask_for_token, end_token};
use super::fact::Name;
use super::nodes::Nodes;
use super::timeline::{Commit, Seen, Timeline};
use super::world::{Asked, Outcome, World};
use crate::bench::Bench;

const CALLERS: u64 = 8;
const FOR: u64 = 6_000_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_on_sqlite_are_linearizable_though_nodes_die() {
    requests_are_linearizable(Bench::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_on_postgres_are_linearizable_though_nodes_die_and_connections_are_cut() {
    if let Some(bench) = Bench::postgres("requests_are_linearizable").await {
        requests_are_linearizable(bench).await;
    }
}

async fn requests_are_linearizable(bench: Bench) {
    let chance = Chance::new("requests_are_linearizable");
    let nodes = Nodes::start(&bench, 3).await;
    let first = nodes.any(&chance).unwrap();
    let world = Arc::new(World::begin(Arc::clone(&nodes), &first.authority).await);
    // Seldom enough that what a node remembers could get too old.
    let trouble = tokio::spawn(Arc::clone(&nodes).trouble(chance.another(), 20));
    let end = nodes.now() + FOR;
    let callers: Vec<_> =
        (0..CALLERS).map(|_| tokio::spawn(call(Arc::clone(&world), chance.another(), end))).collect();
    while nodes.now() < end {
        // Seldom enough that much is remembered in between.
        sleep(Duration::from_millis(chance.next() % 500)).await;
        if let Some(node) = nodes.any(&chance) {
            upheaval(&world, &node, &chance).await;
        }
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(!trouble.is_finished());
    trouble.abort();
    // What was ended is so for every node.
    for (token, node) in world.tokens().iter().flat_map(|token| nodes.up().map(move |node| (token, node))) {
        ask_about_token(&world, &node, &chance, token).await;
    }
    let store = nodes.store().await;
    // A command that was cut off may be over only now: this one waits for it.
    while store.command(Actor("last".to_owned()), 0).await.is_err() {}
    let events = loop {
        if let Ok(events) = store.events(Position(0), 1_000_000).await {
            break events;
        }
    };
    assert_eq!(store.verify().await.unwrap(), vec![]);
    let counts = world.history.counts();
    println!("{} events, {counts:#?}", events.len());
    let timeline = Timeline::new(commits(&world, &events)).unwrap_or_else(|why| panic!("{why}"));
    check_commands(&world, &timeline, &events);
    let seen = std::mem::take(&mut *world.history.seen.lock().unwrap());
    if let Err(why) = timeline.check(seen) {
        panic!("{why}");
    }
    for (what, least) in [
        ("token issued", 20),
        ("active", 20),
        ("inactive", 10),
        ("revoked", 1),
        ("assertion_key_unknown", 10),
    ] {
        assert!(counts.get(what).is_some_and(|count| *count >= least), "{what}: fewer than {least}");
    }
}

async fn call(world: Arc<World>, chance: Chance, end: u64) {
    while world.nodes.now() < end {
        let Some(node) = world.nodes.any(&chance) else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        match chance.below(16) {
            0..=3 => command(&world, &node, &chance).await,
            4..=8 => ask_for_token(&world, &node, &chance).await,
            9..=13 => {
                if let Some(token) = world.any_token(&chance) {
                    ask_about_token(&world, &node, &chance, &token).await;
                }
            }
            _ => end_token(&world, &node, &chance).await,
        }
        if chance.below(4) == 0 {
            sleep(Duration::from_millis(chance.next() % 30)).await;
        }
    }
}

/// What the log says, with when it came to be as far as somebody knows.
fn commits(world: &World, events: &[Event]) -> Vec<Commit> {
    let (asked, left) = (world.history.asked.lock().unwrap(), world.history.left.lock().unwrap());
    let mut commits: Vec<Commit> = Vec::new();
    for group in events.chunk_by(|one, next| one.actor == next.actor && id(one).is_some()) {
        let asked = id(&group[0]).and_then(|id| asked.get(&id));
        let (begun, ended) = match asked {
            Some(Asked { begun, outcome: Outcome::Unknown, .. }) => (*begun, u64::MAX),
            Some(Asked { begun, ended, .. }) => (*begun, *ended),
            None => left.get(&left_by(&group[0])).copied().unwrap_or((0, u64::MAX)),
        };
        let what = format!("{} of {}", group[0].action, group[0].id);
        let made = group.iter().map(|event| (name_of(event), body_of(event))).collect();
        commits.push(Commit { what, begun, ended, made });
    }
    commits
}

/// Each call did what it said, or nothing where it said that.
fn check_commands(world: &World, timeline: &Timeline, events: &[Event]) {
    let mut steps: HashMap<u64, usize> = HashMap::new();
    let groups = events.chunk_by(|one, next| one.actor == next.actor && id(one).is_some());
    for (step, group) in groups.enumerate() {
        if let Some(id) = id(&group[0]) {
            assert_eq!(steps.insert(id, step + 1), None, "a command is in the log in one piece");
        }
    }
    for (id, Asked { what, begun, ended, outcome }) in &*world.history.asked.lock().unwrap() {
        match (outcome, steps.get(id)) {
            (Outcome::Unknown, _) | (Outcome::Refused, None) => {}
            (Outcome::Done { before, after }, Some(step)) => {
                assert!(before.holds(timeline.at(step - 1)), "{what}: not {before:?} before");
                assert!(after.holds(timeline.at(*step)), "{what}: not {after:?} after");
            }
            // It was so already.
            (Outcome::Done { after, .. }, None) => {
                world.history.see(Seen::now(what, *begun, *ended, after.clone()));
            }
            (Outcome::Refused, Some(step)) => panic!("{what} was refused, and is in the log at step {step}"),
        }
    }
}

/// Of which call an event is.
fn id(event: &Event) -> Option<u64> {
    event.actor.parse().ok()
}

/// By what a request finds the event that it left: the entity, and whether it ended it.
fn left_by(event: &Event) -> (Name, bool) {
    let is_begin =
        event.kind == RefreshFamily::KIND.0 && body_of(event).is_some_and(|body| body["revoked"] == false);
    (name_of(event), !is_begin)
}

fn name_of(event: &Event) -> Name {
    (kind(&event.kind).unwrap().0, event.id.clone())
}

fn body_of(event: &Event) -> Option<Value> {
    event.body.as_deref().map(|body| serde_json::from_str(body).unwrap())
}
