//! What administrators do, each time as somebody else, so that the log tells of which call an event is.

use keyward_authority::authority::Authority;
use keyward_authority::entity::{Client, Key, ServiceAccount};
use keyward_authority::operations::{self, Current, Expected, KeyOwner, OperationError};
use keyward_authority::storage::{Actor, Entity, Kind};

use super::chance::Chance;
use super::fact::{Fact, Name, name};
use super::nodes::Node;
use super::timeline::Seen;
use super::world::{ACCOUNTS, Asked, CLIENTS, KEYS, Outcome, REALM, World, account, client, uploaded};

/// Does something to a key, or makes or enables what might have gone.
pub(super) async fn command(world: &World, node: &Node, chance: &Chance) {
    let id = ACCOUNTS[chance.below(ACCOUNTS.len())];
    let app = CLIENTS[chance.below(CLIENTS.len())];
    let kid = format!("{id}-{}", chance.below(KEYS));
    match chance.below(16) {
        0..=4 => add_key(world, node, id, &kid).await,
        5 => remove::<Key>(world, node, "delete key", &key_id(id, &kid)).await,
        6 => switch_key(world, node, &key_id(id, &kid), false).await,
        7..=8 => switch_key(world, node, &key_id(id, &kid), true).await,
        9..=10 => create(world, node, "create account", id, account(id, true)).await,
        11..=12 => change(world, node, "enable account", id, account(id, true)).await,
        13..=14 => create(world, node, "create client", app, client(app, true)).await,
        _ => change(world, node, "enable client", app, client(app, true)).await,
    }
}

/// Takes away what many tokens hang on.
pub(super) async fn upheaval(world: &World, node: &Node, chance: &Chance) {
    let id = ACCOUNTS[chance.below(ACCOUNTS.len())];
    let app = CLIENTS[chance.below(CLIENTS.len())];
    match chance.below(8) {
        0..=1 => remove::<ServiceAccount>(world, node, "delete account", id).await,
        2..=3 => change(world, node, "disable account", id, account(id, false)).await,
        4 => remove::<Client>(world, node, "delete client", app).await,
        5..=6 => change(world, node, "disable client", app, client(app, false)).await,
        _ => withdraw(world, node, chance).await,
    }
}

pub(super) fn key_id(account: &str, kid: &str) -> String {
    format!("service_account/{account}/{kid}")
}

async fn add_key(world: &World, node: &Node, account: &str, kid: &str) {
    let made = world.make_key(kid);
    let key = uploaded(&made);
    let owner = KeyOwner::ServiceAccount(account.to_owned());
    let name = name::<Key>(&key_id(account, kid));
    let wants = (Fact::Absent(name.clone()), Fact::Enabled(name));
    let is_refused = run(world, node, "add key", wants, async move |authority, by| {
        operations::upload_key(&authority, &by, REALM, &owner, &key, None).await.map(drop)
    })
    .await;
    if is_refused {
        world.forget_key(kid, &made);
    }
}

async fn switch_key(world: &World, node: &Node, id: &str, enabled: bool) {
    let (what, fact): (_, fn(Name) -> Fact) = match enabled {
        true => ("enable key", Fact::Enabled),
        false => ("disable key", Fact::Disabled),
    };
    let (name, id) = (name::<Key>(id), id.to_owned());
    run(world, node, what, (Fact::Present(name.clone()), fact(name)), async move |authority, by| {
        let Current { position, entity } = operations::find::<Key>(&authority, REALM, &id).await?;
        let (key, expected) = (Key { enabled, ..entity }, Expected::At(position));
        operations::change(&authority, &by, REALM, key, expected).await.map(drop)
    })
    .await;
}

async fn create<K: operations::Managed>(world: &World, node: &Node, what: &str, id: &str, kept: K) {
    let name = name::<K>(id);
    let wants = (Fact::Absent(name.clone()), Fact::Enabled(name));
    run(world, node, what, wants, async move |authority, by| {
        operations::create(&authority, &by, REALM, kept).await.map(drop)
    })
    .await;
}

async fn change<K: operations::Managed>(world: &World, node: &Node, what: &str, id: &str, kept: K) {
    let name = name::<K>(id);
    let after = if kept.is_enabled() { Fact::Enabled(name.clone()) } else { Fact::Disabled(name.clone()) };
    run(world, node, what, (Fact::Present(name), after), async move |authority, by| {
        operations::change(&authority, &by, REALM, kept, Expected::Any).await.map(drop)
    })
    .await;
}

async fn remove<K: operations::Managed>(world: &World, node: &Node, what: &str, id: &str) {
    let (name, id) = (name::<K>(id), id.to_owned());
    let wants = (Fact::Present(name.clone()), Fact::Absent(name));
    run(world, node, what, wants, async move |authority, by| {
        operations::remove::<K>(&authority, &by, REALM, &id, Expected::Any).await
    })
    .await;
}

/// Withdraws a key that signed something.
async fn withdraw(world: &World, node: &Node, chance: &Chance) {
    let Some(token) = world.any_token(chance) else {
        return;
    };
    let name = token.signing_key.clone();
    let kid = name.1.clone();
    let wants = (Fact::Published(name.clone()), Fact::Withdrawn(name));
    run(world, node, "withdraw signing key", wants, async move |authority, by| {
        operations::withdraw_signing_key(&authority, &by, REALM, &kid).await
    })
    .await;
}

/// Does it as somebody of its own, and writes down what came of it; whether it was refused.
async fn run<F: Future<Output = Result<(), OperationError>> + Send + 'static>(
    world: &World,
    node: &Node,
    what: &str,
    (before, after): (Fact, Fact),
    work: impl FnOnce(Authority, Actor) -> F,
) -> bool {
    let (history, id) = (&world.history, world.history.next());
    let begun = world.nodes.now();
    let answer = node.run(work(node.authority.clone(), Actor(id.to_string()))).await;
    let ended = world.nodes.now();
    let refuse = |fact: fn(Name) -> Fact, entity: Entity| {
        let Kind(kind) = entity.kind;
        history.see(Seen::now(what, begun, ended, fact((kind, entity.id))));
        Outcome::Refused
    };
    let outcome = match answer {
        Some(Ok(())) => Outcome::Done { before, after },
        Some(Err(OperationError::Exists { entity } | OperationError::Conflict { entity, .. })) => {
            refuse(Fact::Present, entity)
        }
        Some(Err(OperationError::NotFound { entity })) => refuse(Fact::Absent, entity),
        Some(Err(OperationError::Unavailable(_))) | None => Outcome::Unknown,
        Some(Err(other)) => panic!("{what}: {other}"),
    };
    let label = match &outcome {
        Outcome::Done { .. } => "done",
        Outcome::Refused => "refused",
        Outcome::Unknown => "unknown",
    };
    history.count(&format!("{what}: {label}"));
    let is_refused = matches!(outcome, Outcome::Refused);
    let asked = Asked { what: what.to_owned(), begun, ended, outcome };
    history.asked.lock().unwrap().insert(id, asked);
    is_refused
}
