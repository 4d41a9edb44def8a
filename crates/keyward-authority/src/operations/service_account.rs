//! What has to hold of a service account.

use super::managed::{Actions, Belonging, Managed, actions};
use super::{OperationError, check, find_in};
use crate::entity::{Client, FormerHolder, Kept, Key, ServiceAccount, SubjectType, entity};
use crate::storage::{Action, Command};

impl Managed for ServiceAccount {
    const LIMIT: i64 = 10_000;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        actions!("service_account")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn holder(&self) -> Option<String> {
        Some(FormerHolder::name_of(SubjectType::ServiceAccount, &self.id))
    }

    fn check(&self) -> Result<(), OperationError> {
        check::name("id", &self.id)?;
        check::text("description", &self.description)?;
        check::audiences("audiences", &self.audiences)?;
        check::scopes("scopes", &self.scopes)?;
        check::jwks_uri(self.jwks_uri.as_deref())
    }

    /// `sub` and `client_id` of a token say who it is: no client may be called so.
    async fn check_new(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        match find_in::<Client>(command, realm, &self.id).await? {
            Some(_) => Err(OperationError::Exists { entity: entity::<Client>(realm, &self.id) }),
            None => Ok(()),
        }
    }

    fn belongings(&self) -> Vec<Belonging> {
        let prefix = format!("service_account/{}/", self.id);
        vec![Belonging { kind: Key::KIND, prefix, deleted: Action("service_account_key.deleted") }]
    }
}
