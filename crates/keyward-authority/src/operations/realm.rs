//! What has to hold of a realm, and what comes and goes with it.

use keyward::UnixTime;

use super::managed::{Actions, Belonging, Managed, actions};
use super::resource_server::ACCESS_TOKEN_LIMIT;
use super::signing_key::refused;
use super::{OperationError, check};
use crate::authority::Authority;
use crate::entity::{
    Client, ExternalSigner, FormerHolder, Identity, Kept, Realm, RefreshFamily, ResourceServer, RevokedToken,
    ServiceAccount, SigningKey,
};
use crate::signing::{self, NewKeys};
use crate::storage::{Action, Command};

/// The realm whose tokens the administration takes. It is there from the beginning, and stays.
pub const ADMIN_REALM: &str = "admin";

/// The longest that a refresh token may be good without being used, in seconds.
pub(crate) const REFRESH_TOKEN_LIMIT: u64 = 366 * 86_400;

impl Managed for Realm {
    const LIMIT: i64 = 1000;

    /// Its first keys: a realm without one would answer, and issue nothing (incident B8).
    type Prepared = Option<NewKeys>;

    fn actions(&self) -> &'static Actions {
        actions!("realm")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn holder(&self) -> Option<String> {
        Some(FormerHolder::REALM.to_owned())
    }

    fn check(&self) -> Result<(), OperationError> {
        check::realm("name", &self.name)?;
        check::lifetime("access_token_lifetime", self.access_token_lifetime, ACCESS_TOKEN_LIMIT)?;
        check::lifetime("refresh_token_lifetime", self.refresh_token_lifetime, REFRESH_TOKEN_LIMIT)?;
        signing::check_rotation(&self.rotation)
            .map_err(|error| OperationError::invalid("rotation", error.to_string()))
    }

    async fn prepare(&self, authority: &Authority) -> Result<Self::Prepared, OperationError> {
        Ok(Some(NewKeys::for_realm(authority.key_store(), self).await.map_err(refused(&self.name))?))
    }

    async fn begin(
        &self,
        command: &mut Command,
        prepared: Self::Prepared,
        now: i64,
    ) -> Result<(), OperationError> {
        let Some(keys) = prepared else {
            let why = "a realm's first keys have to be made before it is".to_owned();
            return Err(OperationError::KeyUnavailable { why });
        };
        signing::begin(command, self, keys, UnixTime(now)).await.map_err(refused(&self.name))
    }

    fn check_change(&self, _before: &Self, realm: &str) -> Result<(), OperationError> {
        if self.enabled || self.name != ADMIN_REALM {
            return Ok(());
        }
        Err(OperationError::InUse {
            entity: self.entity(realm),
            why: "the administration takes its tokens".to_owned(),
        })
    }

    async fn check_remove(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        let in_use = |why: &str| OperationError::InUse { entity: self.entity(realm), why: why.to_owned() };
        if self.name == ADMIN_REALM {
            return Err(in_use("the administration takes its tokens"));
        }
        if self.enabled {
            return Err(in_use("disable it first, and wait until nobody misses it"));
        }
        for kind in
            [Client::KIND, ExternalSigner::KIND, Identity::KIND, ResourceServer::KIND, ServiceAccount::KIND]
        {
            if command.count(kind, realm, "").await? > 0 {
                let why = "delete its clients, service accounts, resource servers and external signers first";
                return Err(in_use(why));
            }
        }
        Ok(())
    }

    fn belongings(&self) -> Vec<Belonging> {
        let belonging = |kind, deleted| Belonging { kind, prefix: String::new(), deleted: Action(deleted) };
        vec![
            belonging(SigningKey::KIND, "signing_key.deleted"),
            belonging(RefreshFamily::KIND, "refresh_family.deleted"),
            belonging(RevokedToken::KIND, "revoked_token.deleted"),
            belonging(FormerHolder::KIND, "former_holder.deleted"),
        ]
    }
}

/// Whether tokens can be signed with it.
pub(super) fn check_algorithm(what: &'static str, name: &str) -> Result<(), OperationError> {
    match signing::algorithm(name) {
        Some(_) => Ok(()),
        None => Err(OperationError::invalid(what, "must be RS256, PS256, ES256 or EdDSA")),
    }
}
