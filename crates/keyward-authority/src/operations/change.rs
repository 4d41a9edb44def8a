//! Something that is, made otherwise.

use super::create::written;
use super::look::demand_in;
use super::{Administration, Current, Expected, Managed, OperationError, begin, now, signable};
use crate::authority::Authority;
use crate::storage::{Actor, Change, Command, Position};

/// Makes something as `kept` says, where it is there and as the caller knew it. What is so already is left as it is, and no
/// event says otherwise.
///
/// # Errors
/// [`OperationError`].
pub async fn change<K: Managed>(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    kept: K,
    expected: Expected,
) -> Result<Current<K>, OperationError> {
    kept.check()?;
    let mut command = begin(authority, by).await?;
    let administration = Administration::before(&mut command, realm, now(authority)).await?;
    let position = change_in(&mut command, realm, &kept, expected).await?;
    administration.demand(&mut command, now(authority)).await?;
    if signable::concerns(K::KIND) {
        signable::demand(&mut command, realm).await?;
    }
    command.commit().await?;
    Ok(Current { position, entity: kept })
}

/// As [`change`], as a part of a command.
///
/// # Errors
/// [`OperationError`]: then the command can only be dropped.
pub async fn change_in<K: Managed>(
    command: &mut Command,
    realm: &str,
    kept: &K,
    expected: Expected,
) -> Result<Position, OperationError> {
    kept.check()?;
    let before = demand_in::<K>(command, realm, &kept.id(), expected).await?;
    if before.entity == *kept {
        return Ok(before.position);
    }
    kept.check_change(&before.entity, realm)?;
    let actions = kept.actions();
    let action = match (before.entity.is_enabled(), kept.is_enabled()) {
        (false, true) => actions.enabled,
        (true, false) => actions.disabled,
        _ => actions.changed,
    };
    let change = Change { action, entity: kept.entity(realm), body: Some(written(kept, realm)?) };
    Ok(command.append(&change).await?)
}
