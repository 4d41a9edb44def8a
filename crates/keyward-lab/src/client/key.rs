//! A key that an issuer knows a client by.

use std::sync::Arc;

use crate::client::{Cause, ClientKeyPlan, KeyCondition, PublicKeyPlan};
use crate::clock::seconds;
use crate::issuer::Shared;
use crate::key::{KeyGeneration, LabKey, PublicKey};
use crate::plan::KeyPlan;

/// A client's key. Cloning it copies pointers.
#[derive(Clone, Debug)]
pub(crate) struct ClientKey {
    pub(crate) kid: String,
    pub(crate) public: Arc<PublicKey>,
    /// None, where it is somebody else's.
    pub(crate) private: Option<Arc<LabKey>>,
    pub(crate) condition: KeyCondition,
    /// In Unix seconds.
    expires: Option<i64>,
}

/// Why a client cannot have its keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeyError {
    /// One could not be made.
    #[error(transparent)]
    Generation(#[from] KeyGeneration),
    /// Two have the same name.
    #[error("client {client:?} has two keys named {kid:?}")]
    Repeated {
        /// The client.
        client: String,
        /// The name.
        kid: String,
    },
    /// What is to be its public half is no such thing.
    #[error("the public key {kid:?} of client {client:?} is no JWK and no PEM of an RSA, EC or Ed25519 key")]
    Unreadable {
        /// The client.
        client: String,
        /// The name.
        kid: String,
    },
}

impl ClientKey {
    /// Made, or taken over where its public half is given.
    pub(crate) fn new(client: &str, plan: &ClientKeyPlan, shared: &Shared) -> Result<Self, ClientKeyError> {
        let unreadable = || ClientKeyError::Unreadable { client: client.to_owned(), kid: plan.kid.clone() };
        let wall = shared.clock.wall();
        let (public, private) = match &plan.public {
            Some(PublicKeyPlan::Jwk(text)) => (PublicKey::from_jwk_text(text), None),
            Some(PublicKeyPlan::Pem(text)) => (PublicKey::from_pem(text), None),
            None => {
                let plan = KeyPlan { algorithm: plan.algorithm, ..KeyPlan::named(&plan.kid) };
                let key = Arc::new(LabKey::generate(&plan, &shared.stock)?);
                (PublicKey::from_jwk(key.jwk()), Some(key))
            }
        };
        Ok(Self {
            kid: plan.kid.clone(),
            public: Arc::new(public.ok_or_else(unreadable)?),
            private,
            condition: plan.condition,
            expires: plan.lifetime.map(|lifetime| wall.saturating_add(seconds(lifetime.0))),
        })
    }

    /// Whether it may be used at this time.
    pub(crate) fn usable(&self, now: i64) -> Result<(), Cause> {
        match self.condition {
            KeyCondition::Disabled => Err(Cause::KeyDisabled),
            KeyCondition::Expired => Err(Cause::KeyExpired),
            KeyCondition::NotProjected => Err(Cause::KeyNotProjected),
            KeyCondition::Good if self.expires.is_some_and(|expires| expires <= now) => {
                Err(Cause::KeyExpired)
            }
            KeyCondition::Good => Ok(()),
        }
    }
}
