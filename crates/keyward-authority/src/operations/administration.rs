//! Somebody is left who administrates.

use super::{ADMIN_REALM, OperationError, find_in, list_in};
use crate::admin::{AUDIENCE, WRITE};
use crate::entity::{
    Client, ClientAuthMethod, GrantType, Key, Realm, ResourceServer, Secret, ServiceAccount, entity,
};
use crate::storage::Command;

/// Whether somebody administrates before a command does anything. To be asked again at its end.
pub(crate) struct Administration(bool);

impl Administration {
    /// As it is when a command for `realm` begins. Other realms' commands do not touch it.
    ///
    /// # Errors
    /// [`OperationError::Unavailable`], [`OperationError::Unreadable`].
    pub(crate) async fn before(command: &mut Command, realm: &str, now: i64) -> Result<Self, OperationError> {
        Ok(Self(realm == ADMIN_REALM && is_administrated(command, now).await?))
    }

    /// Where somebody administrated before, somebody has to at the end.
    ///
    /// # Errors
    /// [`OperationError::InUse`]: then the command can only be dropped.
    pub(crate) async fn demand(self, command: &mut Command, now: i64) -> Result<(), OperationError> {
        if !self.0 || is_administrated(command, now).await? {
            return Ok(());
        }
        let entity = entity::<Realm>(ADMIN_REALM, ADMIN_REALM);
        let why =
            "nobody would be left to administrate it; let somebody else have authority.write and a key first";
        Err(OperationError::InUse { entity, why: why.to_owned() })
    }
}

/// Whether a service account or a client may change everything, and has something to show for it that is good at `now`.
async fn is_administrated(command: &mut Command, now: i64) -> Result<bool, OperationError> {
    let server = find_in::<ResourceServer>(command, ADMIN_REALM, AUDIENCE).await?;
    let has = |list: &[String], wanted: &str| list.iter().any(|one| one == wanted);
    if !server.is_some_and(|server| server.entity.enabled && has(&server.entity.scopes, WRITE)) {
        return Ok(false);
    }
    for account in list_in::<ServiceAccount>(command, ADMIN_REALM, "").await? {
        let ServiceAccount { id, enabled, audiences, scopes, .. } = account.entity;
        let may = enabled && has(&audiences, AUDIENCE) && has(&scopes, WRITE);
        if may && has_key(command, &format!("service_account/{id}/"), now).await? {
            return Ok(true);
        }
    }
    for client in list_in::<Client>(command, ADMIN_REALM, "").await? {
        let client = client.entity;
        // A token that is bound to a key or a certificate is none for the administration.
        let is_bound = client.requires_dpop || client.requires_certificate;
        let asks = client.enabled && client.grant_types.contains(&GrantType::ClientCredentials);
        let may = asks && has(&client.audiences, AUDIENCE) && has(&client.scopes, WRITE);
        if may && !is_bound && has_credential(command, &client, now).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn has_credential(command: &mut Command, client: &Client, now: i64) -> Result<bool, OperationError> {
    let methods = &client.auth_methods;
    if methods.contains(&ClientAuthMethod::PrivateKeyJwt)
        && has_key(command, &format!("client/{}/", client.id), now).await?
    {
        return Ok(true);
    }
    let takes_secret = methods.contains(&ClientAuthMethod::ClientSecretBasic)
        || methods.contains(&ClientAuthMethod::ClientSecretPost);
    if !takes_secret {
        return Ok(false);
    }
    let secrets = list_in::<Secret>(command, ADMIN_REALM, &format!("{}/", client.id)).await?;
    Ok(secrets.iter().any(|secret| is_good(secret.entity.enabled, secret.entity.expires_at, now)))
}

async fn has_key(command: &mut Command, prefix: &str, now: i64) -> Result<bool, OperationError> {
    let keys = list_in::<Key>(command, ADMIN_REALM, prefix).await?;
    Ok(keys.iter().any(|key| is_good(key.entity.enabled, key.entity.expires_at, now)))
}

fn is_good(enabled: bool, expires_at: Option<i64>, now: i64) -> bool {
    enabled && expires_at.is_none_or(|end| end > now)
}
