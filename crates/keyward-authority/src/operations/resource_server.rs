//! What has to hold of a resource server.

use super::managed::{Actions, Managed, actions};
use super::{ADMIN_REALM, OperationError, check};
use crate::admin::AUDIENCE;
use crate::entity::{Kept, ResourceServer};
use crate::storage::Command;

/// The longest that an access token may be good, in seconds.
pub(crate) const ACCESS_TOKEN_LIMIT: u64 = 86_400;

impl Managed for ResourceServer {
    const LIMIT: i64 = 1000;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        actions!("resource_server")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self) -> Result<(), OperationError> {
        check::audience("audience", &self.audience)?;
        check::text("description", &self.description)?;
        check::scopes("scopes", &self.scopes)?;
        if let Some(lifetime) = self.access_token_lifetime {
            check::lifetime("access_token_lifetime", lifetime, ACCESS_TOKEN_LIMIT)?;
        }
        if let Some(algorithm) = &self.algorithm {
            super::realm::check_algorithm("algorithm", algorithm)?;
        }
        match &self.introspected_by {
            Some(client) => check::name("introspected_by", client),
            None => Ok(()),
        }
    }

    fn check_change(&self, _before: &Self, realm: &str) -> Result<(), OperationError> {
        if !self.is_administration(realm) || self.enabled {
            return Ok(());
        }
        let why = "the administration takes its tokens".to_owned();
        Err(OperationError::InUse { entity: self.entity(realm), why })
    }

    async fn check_remove(&self, _command: &mut Command, realm: &str) -> Result<(), OperationError> {
        if !self.is_administration(realm) {
            return Ok(());
        }
        Err(OperationError::InUse {
            entity: self.entity(realm),
            why: "the administration takes its tokens".to_owned(),
        })
    }
}

impl ResourceServer {
    /// Whether its tokens are those that the administration goes by.
    fn is_administration(&self, realm: &str) -> bool {
        realm == ADMIN_REALM && self.audience == AUDIENCE
    }
}
