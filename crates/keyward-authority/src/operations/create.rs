//! Something new.

use super::former_holder::give_again;
use super::{Current, Managed, OperationError, begin, find_in, now, signable};
use crate::authority::Authority;
use crate::entity::{Kept, Realm, entity};
use crate::storage::{Actor, Change, Command, Position};
use crate::view::ViewError;

/// Makes something new in a realm. Of two nodes that do so at once one gets [`OperationError::Exists`].
///
/// # Errors
/// [`OperationError`].
pub async fn create<K: Managed>(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    kept: K,
) -> Result<Current<K>, OperationError> {
    kept.check()?;
    let prepared = kept.prepare(authority).await?;
    let mut command = begin(authority, by).await?;
    let position = create_in(&mut command, realm, &kept, prepared, now(authority)).await?;
    if signable::concerns(K::KIND) {
        signable::demand(&mut command, realm).await?;
    }
    command.commit().await?;
    Ok(Current { position, entity: kept })
}

/// As [`create`], as a part of a command, with what [`Managed::prepare`] made and at `now`, in seconds since 1970.
///
/// # Errors
/// [`OperationError`]: then the command can only be dropped.
pub async fn create_in<K: Managed>(
    command: &mut Command,
    realm: &str,
    kept: &K,
    prepared: K::Prepared,
    now: i64,
) -> Result<Position, OperationError> {
    kept.check()?;
    let name = kept.entity(realm);
    if K::KIND != Realm::KIND {
        demand_realm(command, realm).await?;
    }
    if command.read(&name).await?.is_some() {
        return Err(OperationError::Exists { entity: name });
    }
    let count = match K::KIND {
        kind if kind == Realm::KIND => command.count_all(kind).await?,
        kind => command.count(kind, realm, &kept.siblings()).await?,
    };
    if count >= K::LIMIT {
        return Err(OperationError::TooMany { entity: name, limit: K::LIMIT });
    }
    kept.check_new(command, realm).await?;
    let change = Change { action: kept.actions().created, entity: name, body: Some(written(kept, realm)?) };
    let position = command.append(&change).await?;
    give_again(command, realm, kept).await?;
    kept.begin(command, prepared, now).await?;
    Ok(position)
}

/// The realm has to be there; it may be disabled.
async fn demand_realm(command: &mut Command, realm: &str) -> Result<(), OperationError> {
    match find_in::<Realm>(command, realm, realm).await? {
        Some(_) => Ok(()),
        None => Err(OperationError::NotFound { entity: entity::<Realm>(realm, realm) }),
    }
}

/// As it is kept.
pub(super) fn written<K: Kept>(kept: &K, realm: &str) -> Result<String, OperationError> {
    serde_json::to_string(kept).map_err(|cause| {
        OperationError::Unreadable(ViewError::Body { entity: kept.entity(realm).to_string(), cause })
    })
}
