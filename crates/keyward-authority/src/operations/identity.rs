//! What has to hold of an identity.

use super::managed::{Actions, Managed, actions};
use super::{OperationError, check, find_in};
use crate::entity::{
    Client, ExternalSigner, FormerHolder, Identity, ServiceAccount, Subject, SubjectType, entity,
};
use crate::storage::{Action, Change, Command};

impl Managed for Identity {
    const LIMIT: i64 = 100_000;

    type Prepared = ();

    fn actions(&self) -> &'static Actions {
        actions!("identity")
    }

    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn siblings(&self) -> String {
        format!("{}/", self.signer)
    }

    fn holder(&self) -> Option<String> {
        Some(FormerHolder::name_of(SubjectType::Identity, &self.subject))
    }

    fn check(&self) -> Result<(), OperationError> {
        check::name("signer", &self.signer)?;
        check::foreign_name("external_id", &self.external_id)?;
        check::foreign_name("subject", &self.subject)?;
        check::audiences("audiences", &self.audiences)?;
        check::scopes("scopes", &self.scopes)
    }

    /// Its signer has to be there, and its tokens must not say that it is a client or an account.
    async fn check_new(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        if find_in::<ExternalSigner>(command, realm, &self.signer).await?.is_none() {
            return Err(OperationError::NotFound { entity: entity::<ExternalSigner>(realm, &self.signer) });
        }
        if find_in::<Client>(command, realm, &self.subject).await?.is_some() {
            return Err(OperationError::Exists { entity: entity::<Client>(realm, &self.subject) });
        }
        match find_in::<ServiceAccount>(command, realm, &self.subject).await? {
            Some(_) => Err(OperationError::Exists { entity: entity::<ServiceAccount>(realm, &self.subject) }),
            None => Ok(()),
        }
    }

    /// What leads from its tokens to it; where another identity has the same subject, that is the other's.
    async fn end(&self, command: &mut Command, realm: &str) -> Result<(), OperationError> {
        let Some(found) = find_in::<Subject>(command, realm, &self.subject).await? else {
            return Ok(());
        };
        let Subject { subject: _, signer, external_id } = found.entity;
        if signer == self.signer && external_id == self.external_id {
            let entity = entity::<Subject>(realm, &self.subject);
            command.append(&Change { action: Action("subject.deleted"), entity, body: None }).await?;
        }
        Ok(())
    }

    fn check_change(&self, before: &Self, _realm: &str) -> Result<(), OperationError> {
        if self.subject == before.subject && self.just_in_time == before.just_in_time {
            return Ok(());
        }
        Err(OperationError::invalid("subject, just_in_time", "cannot change: delete it and make another"))
    }
}
