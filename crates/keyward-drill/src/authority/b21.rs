//! B21: events were skipped, because positions came from clocks or from where transactions began.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::Method;
use keyward_authority::entity::ServiceAccount;
use keyward_authority::operations;
use keyward_authority::storage::Actor;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::inside::{Pair, failed};
use super::node::Node;
use super::nodes::{Nodes, REALM};
use super::steps::Steps;
use super::wire::{items, says, text};
use super::{AuthorityDrill, Which};
use crate::error::RunError;

pub(super) const DRILL: AuthorityDrill = AuthorityDrill {
    name: "authority-b21",
    title: "Who follows the log skips nothing, whatever becomes of those who write it",
    about: "Eight writers make service accounts at every node at once; every third time it is one that is there already, or \
            they disable the only administrator, which is refused when its event is already written: the transaction is \
            rolled back. Meanwhile nodes are killed and started again, in the middle of what they do. \
            A follower at each node reads the log a page at a time. In the end each has read every event once, in order; \
            what was confirmed is in the log and what was refused is not, and the positions of all realms have no gap. \
            At last two nodes in this process, whose clocks are an hour apart, write in turn: positions go on as the \
            transactions do, and neither backwards nor by the clock.",
    incidents: &["B21"],
    phases: &["writers-and-kills", "what-is-in-the-log", "clocks-an-hour-apart"],
    wants_two_nodes: false,
    which: Which::B21,
};

const WRITERS: usize = 8;

/// That each writer tries.
const WRITES: usize = 30;

const KILLS: usize = 6;

/// In seconds.
const HOUR: u64 = 3600;

/// Between two kills.
const PAUSE: Duration = Duration::from_millis(700);

/// After a request that was not answered.
const REST: Duration = Duration::from_millis(20);

/// Events that are read at once, while somebody writes.
const PAGE: usize = 7;

/// What the writers were told.
#[derive(Default)]
struct Told {
    confirmed: Vec<String>,
    refused: usize,
    unanswered: usize,
    wrong: Vec<String>,
}

pub(super) async fn play(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let Some((first, last)) = nodes.ends() else {
        return Ok(());
    };
    steps.next();
    let path = "realms/admin/service-accounts/administrator";
    let mut disabled = nodes.demand_of(first, Method::GET, path, None).await?;
    if let Some(members) = disabled.as_object_mut() {
        members.insert("enabled".to_owned(), Value::Bool(false));
    }
    let is_over = AtomicBool::new(false);
    let head = AtomicU64::new(u64::MAX);
    let writing = async {
        let write = |writer| write(nodes, writer, &disabled, &is_over);
        let told =
            tokio::join!(write(0), write(1), write(2), write(3), write(4), write(5), write(6), write(7));
        let events = read(nodes, REALM).await;
        let last = events.as_ref().ok().and_then(|events| events.last()).map_or(0, position);
        head.store(last, Ordering::SeqCst);
        (<[Told; WRITERS]>::from(told), events)
    };
    let killing = async {
        let killed = kill(nodes).await;
        is_over.store(true, Ordering::SeqCst);
        killed
    };
    let following = async { tokio::join!(follow(nodes, first, &head), follow(nodes, last, &head)) };
    let ((told, events), killed, followed) = tokio::join!(writing, killing, following);
    killed?;
    let events = events?;
    let all = told.into_iter().fold(Told::default(), |mut all, told| {
        all.confirmed.extend(told.confirmed);
        all.wrong.extend(told.wrong);
        all.refused += told.refused;
        all.unanswered += told.unanswered;
        all
    });
    steps.expect(all.confirmed.len() > WRITERS, || {
        format!("only {} writes came through", all.confirmed.len())
    });
    steps.expect(all.refused > 0, || "nothing was rolled back".to_owned());
    steps.expect(all.unanswered > 0, || "no write was under way when a node was killed".to_owned());
    steps.fail(all.wrong);
    steps.next();
    let positions: Vec<u64> = events.iter().map(position).collect();
    for (node, seen) in [first, last].into_iter().zip(<[Vec<u64>; 2]>::from(followed)) {
        steps.expect(seen == positions, || {
            let skipped = positions.iter().filter(|position| !seen.contains(position)).count();
            format!("who follows at node {} read {} events and skipped {skipped}", node.number, seen.len())
        });
    }
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.iter().filter(|event| says(event, "/action", "service_account.created")) {
        *made.entry(text(event, "/id").unwrap_or_default()).or_default() += 1;
    }
    for id in &all.confirmed {
        let count = made.get(id.as_str()).copied().unwrap_or(0);
        steps.expect(count == 1, || format!("{id} was confirmed, and is in the log {count} times"));
    }
    let twice = made.iter().filter(|(_, count)| **count > 1).count();
    steps.expect(twice == 0, || format!("{twice} were refused, and are in the log for all that"));
    let mut whole: BTreeSet<u64> = positions.into_iter().collect();
    let of_admin = read(nodes, "admin").await?;
    let is_there = of_admin.iter().any(|event| says(event, "/action", "service_account.disabled"));
    steps.expect(!is_there, || "the only administrator is disabled in the log, which was refused".to_owned());
    whole.extend(of_admin.iter().map(position));
    let last = whole.last().copied().unwrap_or(0);
    let count = whole.len();
    steps.expect(whole.into_iter().eq(1..=last), || format!("{count} events have positions up to {last}"));
    steps.next();
    write_by_clocks(nodes, steps).await
}

/// Two nodes write in turn, of which one lives an hour later, and each reads what the other has just written.
async fn write_by_clocks(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let pair = Pair::take_over(nodes, HOUR).await?;
    let [first, second] = &pair.nodes;
    let store = first.authority.view().store();
    let (mut last, mut times) = (store.head().await.map_err(failed("read the head"))?, Vec::new());
    for turn in 0..WRITES {
        let (writer, reader) = if turn % 2 == 0 { (first, second) } else { (second, first) };
        let id = format!("clock-{turn}");
        let account = json!({ "id": id, "enabled": true });
        let account: ServiceAccount = serde_json::from_value(account).map_err(failed("make an account"))?;
        let made = operations::create(&writer.authority, &Actor("drill".to_owned()), REALM, account).await;
        made.map_err(failed("write"))?;
        let events =
            reader.authority.view().store().events(last, 10).await.map_err(failed("follow the log"))?;
        let is_next = matches!(events.as_slice(), [one] if one.position.0 == last.0 + 1 && one.id == id);
        steps.expect(is_next, || {
            let read: Vec<_> = events.iter().map(|event| (event.position.0, &event.id)).collect();
            format!("{id} is written at node {}, and behind {} is read {read:?}", writer.number, last.0)
        });
        last = events.last().map_or(last, |event| event.position);
        times.extend(events.iter().map(|event| event.at_ms));
    }
    let is_apart = times.windows(2).any(|pair| matches!(pair, [before, after] if after < before));
    steps.expect(is_apart, || "no event is later than the next one: the clocks are not apart".to_owned());
    Ok(())
}

/// Makes accounts at one node after the other, for as long as nodes are killed and for so many at least.
async fn write(nodes: &Nodes, writer: usize, disabled: &Value, is_over: &AtomicBool) -> Told {
    let mut told = Told::default();
    let mut turn = 0;
    while turn < WRITES || !is_over.load(Ordering::SeqCst) {
        turn += 1;
        let Some(node) = nodes.all.get((writer + turn) % nodes.all.len().max(1)) else {
            break;
        };
        if turn % 6 == 3 {
            // It is written, and then found that nobody would be left.
            let path = "realms/admin/service-accounts/administrator";
            match nodes.call(node, Method::PUT, path, Some(disabled)).await {
                Some((409, _)) => told.refused += 1,
                Some((503, _)) | None => sleep(REST).await,
                Some(answer) => told.wrong.push(format!("the only administrator is disabled: {answer:?}")),
            }
            continue;
        }
        let again = told.confirmed.last().filter(|_| turn % 3 == 0).cloned();
        let id = again.clone().unwrap_or_else(|| format!("w{writer}-{turn}"));
        let account = json!({ "id": id, "enabled": true });
        let path = format!("realms/{REALM}/service-accounts");
        match (nodes.call(node, Method::POST, &path, Some(&account)).await, again) {
            (Some((201, _)), None) => told.confirmed.push(id),
            (Some((409, _)), Some(_)) => told.refused += 1,
            // It may be there, and may not.
            (Some((503, _)) | None, _) => {
                told.unanswered += 1;
                sleep(REST).await;
            }
            (Some(answer), _) => told.wrong.push(format!("{id}: {answer:?}")),
        }
    }
    told
}

/// Kills one node after the other, and starts it again.
async fn kill(nodes: &Nodes) -> Result<(), RunError> {
    for node in nodes.all.iter().cycle().take(KILLS) {
        sleep(PAUSE).await;
        node.kill().await?;
        node.start(&nodes.wire).await?;
    }
    Ok(())
}

/// Reads the log at a node, behind those who write it, until it has come to `head`; the positions, as they came.
async fn follow(nodes: &Nodes, node: &Node, head: &AtomicU64) -> Vec<u64> {
    let mut seen: Vec<u64> = Vec::new();
    while seen.last().copied().unwrap_or(0) < head.load(Ordering::SeqCst) {
        let after = seen.last().copied().unwrap_or(0);
        match page(nodes, node, REALM, after, PAGE).await {
            Some(events) if !events.is_empty() => seen.extend(events.iter().map(position)),
            _ => sleep(REST).await,
        }
    }
    seen
}

/// All events of a realm, once nobody writes.
async fn read(nodes: &Nodes, realm: &str) -> Result<Vec<Value>, RunError> {
    let Some((first, _)) = nodes.ends() else {
        return Ok(Vec::new());
    };
    let mut events: Vec<Value> = Vec::new();
    loop {
        let after = events.last().map_or(0, position);
        match page(nodes, first, realm, after, 500).await {
            Some(page) if page.is_empty() => return Ok(events),
            Some(page) => events.extend(page),
            None => return Err(first.failure("the log cannot be read")),
        }
    }
}

async fn page(nodes: &Nodes, node: &Node, realm: &str, after: u64, limit: usize) -> Option<Vec<Value>> {
    let path = format!("realms/{realm}/events?after={after}&limit={limit}");
    match nodes.call(node, Method::GET, &path, None).await? {
        (200, page) => Some(items(&page).cloned().collect()),
        _ => None,
    }
}

fn position(event: &Value) -> u64 {
    event.pointer("/position").and_then(Value::as_u64).unwrap_or(0)
}
