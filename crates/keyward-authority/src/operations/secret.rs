//! A client's secrets.

use zeroize::Zeroizing;

use super::managed::{Actions, Managed, actions};
use super::{Current, OperationError, check, create, find_in, now};
use crate::authority::Authority;
use crate::client_auth::{SECRET_LIMIT, secret};
use crate::entity::{Client, ClientKind, Secret, entity};
use crate::storage::{Actor, Command};

/// Makes a secret for a client. It is returned once, and kept as a hash.
///
/// # Errors
/// [`OperationError`].
pub async fn add_secret(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    client: &str,
    name: &str,
    expires_at: Option<i64>,
) -> Result<(Current<Secret>, Zeroizing<String>), OperationError> {
    check::name("client", client)?;
    check::name("name", name)?;
    let plain = secret::generate();
    let hash = secret::hash(plain.clone())
        .await
        .map_err(|error| OperationError::KeyUnavailable { why: error.to_string() })?;
    let (client, name, added_at) = (client.to_owned(), name.to_owned(), now(authority));
    let secret = Secret { client, name, hash, enabled: true, expires_at, added_at };
    Ok((create(authority, by, realm, secret).await?, plain))
}

impl Managed for Secret {
    const LIMIT: i64 = SECRET_LIMIT as i64;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        actions!("client_secret")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn siblings(&self) -> String {
        format!("{}/", self.client)
    }

    fn check(&self) -> Result<(), OperationError> {
        check::name("client", &self.client)?;
        check::name("name", &self.name)?;
        check::time("expires_at", self.expires_at)?;
        secret::check_hash(&self.hash).map_err(|error| OperationError::invalid("hash", error.to_string()))
    }

    async fn check_new(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        match find_in::<Client>(command, realm, &self.client).await? {
            None => Err(OperationError::NotFound { entity: entity::<Client>(realm, &self.client) }),
            Some(client) if client.entity.kind == ClientKind::Public => {
                Err(OperationError::invalid("client", "is public and keeps no secret"))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_change(&self, before: &Self, _realm: &str) -> Result<(), OperationError> {
        if self.hash == before.hash && self.added_at == before.added_at {
            return Ok(());
        }
        Err(OperationError::invalid("hash", "cannot change: add another secret and delete this one"))
    }
}
