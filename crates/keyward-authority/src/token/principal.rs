//! In whose name a token speaks.

use std::sync::Arc;

use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Client, Identity, ServiceAccount, Subject, SubjectType};

/// In whose name a token speaks, as it is now: known here, and let in.
#[derive(Clone, Debug)]
pub(super) enum Principal {
    /// A client, in its own name.
    Client(Arc<Client>),
    /// Somebody whom an external signer vouches for.
    Identity(Arc<Identity>),
    /// A machine.
    ServiceAccount(Arc<ServiceAccount>),
}

impl Principal {
    /// The one that a token of `realm` names.
    ///
    /// # Errors
    /// Why there is none, or it is not let in; [`Cause::Unavailable`].
    pub(super) async fn find(
        authority: &Authority,
        realm: &str,
        subject_type: SubjectType,
        subject: &str,
    ) -> Result<Self, Cause> {
        let view = authority.view();
        match subject_type {
            SubjectType::Client => {
                let client = view.find::<Client>(realm, subject).await?.ok_or(Cause::ClientUnknown)?;
                if client.enabled { Ok(Self::Client(client)) } else { Err(Cause::ClientDisabled) }
            }
            SubjectType::Identity => {
                let known = view.find::<Subject>(realm, subject).await?.ok_or(Cause::IdentityUnknown)?;
                let id = Identity::id_of(&known.signer, &known.external_id);
                let identity = view.find::<Identity>(realm, &id).await?;
                let identity = identity.filter(|identity| identity.subject == subject);
                Self::identity(identity.ok_or(Cause::IdentityUnknown)?)
            }
            SubjectType::ServiceAccount => {
                let account = view.find::<ServiceAccount>(realm, subject).await?;
                let account = account.ok_or(Cause::ServiceAccountUnknown)?;
                if account.enabled {
                    Ok(Self::ServiceAccount(account))
                } else {
                    Err(Cause::ServiceAccountDisabled)
                }
            }
        }
    }

    /// This one, where it is let in.
    pub(super) fn identity(identity: Arc<Identity>) -> Result<Self, Cause> {
        if identity.enabled { Ok(Self::Identity(identity)) } else { Err(Cause::IdentityDisabled) }
    }

    /// `sub`.
    pub(super) fn subject(&self) -> &str {
        match self {
            Self::Client(client) => &client.id,
            Self::Identity(identity) => &identity.subject,
            Self::ServiceAccount(account) => &account.id,
        }
    }

    /// What `sub` names.
    pub(super) fn subject_type(&self) -> SubjectType {
        match self {
            Self::Client(_) => SubjectType::Client,
            Self::Identity(_) => SubjectType::Identity,
            Self::ServiceAccount(_) => SubjectType::ServiceAccount,
        }
    }

    /// What it may have.
    pub(super) fn allowed(&self) -> Allowed<'_> {
        let (audiences, scopes) = match self {
            Self::Client(client) => (&client.audiences, &client.scopes),
            Self::Identity(identity) => (&identity.audiences, &identity.scopes),
            Self::ServiceAccount(account) => (&account.audiences, &account.scopes),
        };
        Allowed { audiences, scopes }
    }
}

/// What somebody may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed<'a> {
    pub(super) audiences: &'a [String],
    pub(super) scopes: &'a [String],
}
