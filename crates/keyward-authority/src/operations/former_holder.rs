//! Names that somebody had before.

use super::create::written;
use super::look::find_in;
use super::{Managed, OperationError};
use crate::entity::{FormerHolder, Kept as _};
use crate::storage::{Action, Change, Command};

/// Notes that `gone` is deleted, where tokens name it.
///
/// # Errors
/// [`OperationError`]: then the command can only be dropped.
pub(super) async fn note<K: Managed>(
    command: &mut Command,
    realm: &str,
    gone: &K,
) -> Result<(), OperationError> {
    match gone.holder() {
        Some(name) => put(command, realm, name).await,
        None => Ok(()),
    }
}

/// Notes that a name is given again, where somebody had that of `new` before.
///
/// # Errors
/// [`OperationError`]: then the command can only be dropped.
pub(super) async fn give_again<K: Managed>(
    command: &mut Command,
    realm: &str,
    new: &K,
) -> Result<(), OperationError> {
    let Some(name) = new.holder() else {
        return Ok(());
    };
    if find_in::<FormerHolder>(command, realm, &name).await?.is_none() {
        return Ok(());
    }
    put(command, realm, name).await
}

/// As of now, and never earlier than it was: another node's clock may have been ahead.
async fn put(command: &mut Command, realm: &str, name: String) -> Result<(), OperationError> {
    let before = find_in::<FormerHolder>(command, realm, &name).await?;
    let now = command.at_ms().div_euclid(1000);
    let until = before.map_or(now, |before| before.entity.until.max(now));
    let former = FormerHolder { name, until };
    let body = Some(written(&former, realm)?);
    let change = Change { action: Action("former_holder.noted"), entity: former.entity(realm), body };
    command.append(&change).await?;
    Ok(())
}
