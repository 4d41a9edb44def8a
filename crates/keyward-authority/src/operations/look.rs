//! What there is, by the database and not by what a node remembers: whoever changes something reads it first.

use super::{Current, Expected, OperationError};
use crate::authority::Authority;
use crate::entity::{Kept, Realm, entity};
use crate::storage::{Command, Entity, Versioned};
use crate::view::ViewError;

/// The one of this kind in `realm` that is called `id`.
///
/// # Errors
/// [`OperationError::NotFound`], [`OperationError::Unavailable`], [`OperationError::Unreadable`].
pub async fn find<K: Kept>(
    authority: &Authority,
    realm: &str,
    id: &str,
) -> Result<Current<K>, OperationError> {
    let entity = nameable(entity::<K>(realm, id))?;
    read(authority.view().store().find_at(&entity).await?, entity)
}

/// As [`find`], as it stays until the command ends; none where there is none such.
///
/// # Errors
/// [`OperationError::Unavailable`], [`OperationError::Unreadable`].
pub async fn find_in<K: Kept>(
    command: &mut Command,
    realm: &str,
    id: &str,
) -> Result<Option<Current<K>>, OperationError> {
    let Ok(entity) = nameable(entity::<K>(realm, id)) else {
        return Ok(None);
    };
    match command.read_at(&entity).await? {
        None => Ok(None),
        found => read(found, entity).map(Some),
    }
}

/// Those of this kind in `realm` whose names begin with `prefix`, behind `after`, in the order of their names.
///
/// # Errors
/// [`OperationError::NotFound`] where there is no such realm, [`OperationError::Unavailable`],
/// [`OperationError::Unreadable`].
pub async fn list<K: Kept>(
    authority: &Authority,
    realm: &str,
    prefix: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Current<K>>, OperationError> {
    find::<Realm>(authority, realm, realm).await?;
    if has_nul(prefix) || has_nul(after) {
        return Ok(Vec::new());
    }
    let page = authority.view().store().page(K::KIND, realm, prefix, after, limit).await?;
    page.into_iter().map(|found| parse(realm, found)).collect()
}

/// The realms behind `after`, in the order of their names.
///
/// # Errors
/// [`OperationError::Unavailable`], [`OperationError::Unreadable`].
pub async fn list_realms(
    authority: &Authority,
    after: &str,
    limit: u32,
) -> Result<Vec<Current<Realm>>, OperationError> {
    if has_nul(after) {
        return Ok(Vec::new());
    }
    let page = authority.view().store().of_every_realm(Realm::KIND, after, limit).await?;
    page.into_iter().map(|found| parse(&found.id.clone(), found)).collect()
}

/// All of this kind in `realm` whose names begin with `prefix`, as they stay until the command ends.
///
/// # Errors
/// [`OperationError::Unavailable`], [`OperationError::Unreadable`].
pub async fn list_in<K: Kept>(
    command: &mut Command,
    realm: &str,
    prefix: &str,
) -> Result<Vec<Current<K>>, OperationError> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = command.page(K::KIND, realm, prefix, &after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        for found in page {
            after.clone_from(&found.id);
            all.push(parse(realm, found)?);
        }
        if is_last {
            return Ok(all);
        }
    }
}

const PAGE: u32 = 500;

/// What has to be there, and as the caller knew it.
pub(super) async fn demand_in<K: Kept>(
    command: &mut Command,
    realm: &str,
    id: &str,
    expected: Expected,
) -> Result<Current<K>, OperationError> {
    let Some(current) = find_in::<K>(command, realm, id).await? else {
        return Err(OperationError::NotFound { entity: entity::<K>(realm, id) });
    };
    match expected {
        Expected::At(expected) if expected != current.position => Err(OperationError::Conflict {
            entity: entity::<K>(realm, id),
            expected,
            found: current.position,
        }),
        Expected::Any | Expected::At(_) => Ok(current),
    }
}

fn read<K: Kept>(found: Option<Versioned>, entity: Entity) -> Result<Current<K>, OperationError> {
    match found {
        Some(found) => parse(&entity.realm, found),
        None => Err(OperationError::NotFound { entity }),
    }
}

pub(super) fn parse<K: Kept>(realm: &str, found: Versioned) -> Result<Current<K>, OperationError> {
    match serde_json::from_str(&found.body) {
        Ok(kept) => Ok(Current { position: found.position, entity: kept }),
        Err(cause) => {
            let entity = entity::<K>(realm, &found.id).to_string();
            Err(OperationError::Unreadable(ViewError::Body { entity, cause }))
        }
    }
}

/// PostgreSQL takes no text with a NUL, so nothing is called so.
fn nameable(entity: Entity) -> Result<Entity, OperationError> {
    if has_nul(&entity.realm) || has_nul(&entity.id) {
        return Err(OperationError::NotFound { entity });
    }
    Ok(entity)
}

fn has_nul(text: &str) -> bool {
    text.contains('\0')
}
