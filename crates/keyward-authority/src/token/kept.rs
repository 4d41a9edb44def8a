//! What grants read and change, in a command.

use keyward::Now;

use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Kept, entity};
use crate::storage::{Action, Actor, Change, Command};

/// A command of `actor`.
pub(super) async fn command(authority: &Authority, actor: &str, now: Now) -> Result<Command, Cause> {
    let at_ms = now.wall.0.saturating_mul(1000);
    Ok(authority.view().store().command(Actor(actor.to_owned()), at_ms).await?)
}

/// An entity as it is, until the command ends.
pub(super) async fn read<K: Kept>(command: &mut Command, realm: &str, id: &str) -> Result<Option<K>, Cause> {
    let Some(body) = command.read(&entity::<K>(realm, id)).await? else { return Ok(None) };
    command.parse(&K::KIND.0, &body).map(Some).map_err(unreadable)
}

/// An entity as it is now, past every cache.
pub(super) async fn read_now<K: Kept>(
    authority: &Authority,
    realm: &str,
    id: &str,
) -> Result<Option<K>, Cause> {
    let store = authority.view().store();
    let Some(body) = store.read(&entity::<K>(realm, id)).await? else { return Ok(None) };
    store.parse(&K::KIND.0, &body).map(Some).map_err(unreadable)
}

/// Makes an entity so.
pub(super) async fn put<K: Kept>(
    command: &mut Command,
    realm: &str,
    action: &'static str,
    kept: &K,
) -> Result<(), Cause> {
    let body = serde_json::to_string(kept).map_err(unreadable)?;
    let change = Change { action: Action(action), entity: kept.entity(realm), body: Some(body) };
    command.append(&change).await?;
    Ok(())
}

/// What is kept is not what this version writes: nothing can be said then.
fn unreadable(_: serde_json::Error) -> Cause {
    Cause::Unavailable
}
