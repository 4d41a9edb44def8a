//! Something that is no more.

use super::former_holder::note;
use super::look::{demand_in, parse};
use super::{Administration, Belonging, Expected, Managed, OperationError, begin, now};
use crate::authority::Authority;
use crate::entity::{Identity, Kept as _, entity};
use crate::storage::{Actor, Change, Command, Entity};

/// How many are read at once.
const PAGE: u32 = 500;

/// Deletes something, and what belongs to it, where it is as the caller knew it.
///
/// # Errors
/// [`OperationError`].
pub async fn remove<K: Managed>(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    id: &str,
    expected: Expected,
) -> Result<(), OperationError> {
    let mut command = begin(authority, by).await?;
    let administration = Administration::before(&mut command, realm, now(authority)).await?;
    remove_in::<K>(&mut command, realm, id, expected).await?;
    administration.demand(&mut command, now(authority)).await?;
    command.commit().await?;
    Ok(())
}

/// As [`remove`], as a part of a command.
///
/// # Errors
/// [`OperationError`]: then the command can only be dropped.
pub async fn remove_in<K: Managed>(
    command: &mut Command,
    realm: &str,
    id: &str,
    expected: Expected,
) -> Result<(), OperationError> {
    let current = demand_in::<K>(command, realm, id, expected).await?.entity;
    current.check_remove(command, realm).await?;
    for belonging in current.belongings() {
        remove_all(command, realm, &belonging).await?;
    }
    current.end(command, realm).await?;
    let change = Change { action: current.actions().deleted, entity: entity::<K>(realm, id), body: None };
    command.append(&change).await?;
    note(command, realm, &current).await
}

async fn remove_all(command: &mut Command, realm: &str, all: &Belonging) -> Result<(), OperationError> {
    loop {
        let page = command.page(all.kind, realm, &all.prefix, "", PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for found in page {
            let entity = Entity { kind: all.kind, realm: realm.to_owned(), id: found.id.clone() };
            if all.kind == Identity::KIND {
                let identity = parse::<Identity>(realm, found)?.entity;
                identity.end(command, realm).await?;
                // Nobody chose the name of one that was made by itself, and there may be very many of those.
                if !identity.just_in_time {
                    note(command, realm, &identity).await?;
                }
            }
            command.append(&Change { action: all.deleted, entity, body: None }).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}
