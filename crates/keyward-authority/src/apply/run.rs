//! What a realm is as a file, and making it as a file says.

use super::{Item, RealmFile, Step, plan};
use crate::authority::Authority;
use crate::entity::{
    Client, ExternalSigner, Kept, Key, KeyOrigin, Realm, ResourceServer, ServiceAccount, entity,
};
use crate::operations::{self, Administration, Expected, Managed, OperationError, find_in, list_in};
use crate::storage::{Actor, Command};
use crate::view::ViewError;

/// A realm as it is; none where there is none of that name.
///
/// # Errors
/// [`OperationError::Unavailable`], [`OperationError::Unreadable`].
pub async fn current(authority: &Authority, realm: &str) -> Result<Option<RealmFile>, OperationError> {
    // A command sees all of it as it is at one moment. It is dropped, and did nothing.
    let mut command = operations::begin(authority, &Actor(String::new())).await?;
    current_in(&mut command, realm).await
}

/// A realm, as a file that changes nothing when it is applied.
///
/// # Errors
/// [`OperationError::NotFound`], [`OperationError::Unavailable`], [`OperationError::Unreadable`].
pub async fn export(authority: &Authority, realm: &str) -> Result<String, OperationError> {
    let name = || entity::<Realm>(realm, realm);
    let Some(file) = current(authority, realm).await? else {
        return Err(OperationError::NotFound { entity: name() });
    };
    file.write().map_err(|cause| {
        let cause = serde::de::Error::custom(cause);
        OperationError::Unreadable(ViewError::Body { entity: name().to_string(), cause })
    })
}

/// Does what was planned, all of it or nothing.
///
/// # Errors
/// [`OperationError::Outdated`] where the realm is not as it was when `planned` was made of it; and as the operations.
pub async fn apply(
    authority: &Authority,
    by: &Actor,
    wanted: &RealmFile,
    planned: &[Step],
) -> Result<(), OperationError> {
    let realm = &wanted.realm;
    realm.check()?;
    let is_new = planned.iter().any(|step| matches!(step, Step::Create(Item::Realm(_))));
    let mut keys = if is_new { realm.prepare(authority).await? } else { None };
    let now = operations::now(authority);
    let mut command = operations::begin(authority, by).await?;
    let found = current_in(&mut command, &realm.name).await?;
    if plan(found.as_ref(), wanted) != planned {
        return Err(OperationError::Outdated { realm: realm.name.clone() });
    }
    let administration = Administration::before(&mut command, &realm.name, now).await?;
    for step in planned {
        run(&mut command, &realm.name, step, &mut keys, now).await?;
    }
    administration.demand(&mut command, now).await?;
    operations::signable::demand(&mut command, &realm.name).await?;
    command.commit().await?;
    Ok(())
}

async fn current_in(command: &mut Command, realm: &str) -> Result<Option<RealmFile>, OperationError> {
    let Some(found) = find_in::<Realm>(command, realm, realm).await? else {
        return Ok(None);
    };
    Ok(Some(RealmFile {
        realm: found.entity,
        resource_servers: all(command, realm).await?,
        external_signers: all(command, realm).await?,
        service_accounts: all(command, realm).await?,
        clients: all(command, realm).await?,
        keys: all::<Key>(command, realm).await?.into_iter().map(Into::into).collect(),
    }))
}

async fn all<K: Kept>(command: &mut Command, realm: &str) -> Result<Vec<K>, OperationError> {
    Ok(list_in::<K>(command, realm, "").await?.into_iter().map(|found| found.entity).collect())
}

async fn run(
    command: &mut Command,
    realm: &str,
    step: &Step,
    keys: &mut <Realm as Managed>::Prepared,
    now: i64,
) -> Result<(), OperationError> {
    match step {
        Step::Create(item) => match item {
            Item::Client(client) => create(command, realm, client, (), now).await,
            Item::ExternalSigner(signer) => create(command, realm, signer, (), now).await,
            Item::Key(entry) => {
                let (owner, kid, jwk) = (entry.owner.clone(), entry.kid.clone(), entry.jwk());
                let (enabled, expires_at, origin) = (entry.enabled, entry.expires_at, KeyOrigin::Uploaded);
                let key = Key { owner, kid, jwk, enabled, expires_at, added_at: now, origin };
                create(command, realm, &key, (), now).await
            }
            Item::Realm(new) => create(command, realm, new, keys.take(), now).await,
            Item::ResourceServer(server) => create(command, realm, server, (), now).await,
            Item::ServiceAccount(account) => create(command, realm, account, (), now).await,
        },
        Step::Change { from: _, to } => match &**to {
            Item::Client(client) => change(command, realm, client).await,
            Item::ExternalSigner(signer) => change(command, realm, signer).await,
            Item::Key(entry) => {
                let id = entry.id();
                let Some(found) = find_in::<Key>(command, realm, &id).await? else {
                    return Err(OperationError::NotFound { entity: entity::<Key>(realm, &id) });
                };
                let (enabled, expires_at) = (entry.enabled, entry.expires_at);
                change(command, realm, &Key { enabled, expires_at, ..found.entity }).await
            }
            Item::Realm(changed) => change(command, realm, changed).await,
            Item::ResourceServer(server) => change(command, realm, server).await,
            Item::ServiceAccount(account) => change(command, realm, account).await,
        },
        Step::Delete(item) => {
            let id = item.name();
            match item {
                Item::Client(_) => remove::<Client>(command, realm, &id).await,
                Item::ExternalSigner(_) => remove::<ExternalSigner>(command, realm, &id).await,
                Item::Key(_) => remove::<Key>(command, realm, &id).await,
                Item::Realm(_) => remove::<Realm>(command, realm, &id).await,
                Item::ResourceServer(_) => remove::<ResourceServer>(command, realm, &id).await,
                Item::ServiceAccount(_) => remove::<ServiceAccount>(command, realm, &id).await,
            }
        }
    }
}

async fn create<K: Managed>(
    command: &mut Command,
    realm: &str,
    kept: &K,
    prepared: K::Prepared,
    now: i64,
) -> Result<(), OperationError> {
    operations::create_in(command, realm, kept, prepared, now).await.map(drop)
}

async fn change<K: Managed>(command: &mut Command, realm: &str, kept: &K) -> Result<(), OperationError> {
    operations::change_in(command, realm, kept, Expected::Any).await.map(drop)
}

async fn remove<K: Managed>(command: &mut Command, realm: &str, id: &str) -> Result<(), OperationError> {
    operations::remove_in::<K>(command, realm, id, Expected::Any).await
}
