//! The keys that a client or a service account signs with.

use keyward::UnixTime;
use keyward_jose::{Jws, SignatureError, Thumbprint, VerificationKey};

use crate::cause::Cause;
use crate::entity::{Kept, Key};
use crate::storage::Entity;

/// The keys of one owner, parsed once.
#[derive(Debug, Default)]
pub(crate) struct OwnerKeys(Vec<OwnerKey>);

/// A key and whether it is taken.
#[derive(Debug)]
pub(crate) struct OwnerKey {
    entity_id: String,
    kid: String,
    key: VerificationKey,
    enabled: bool,
    expires_at: Option<i64>,
}

impl OwnerKeys {
    /// Those of `owner`. One that cannot be used costs no other (promise 6).
    pub(crate) fn of(owner: &str, keys: Vec<Key>) -> Self {
        Self(keys.into_iter().filter(|key| key.owner == owner).filter_map(OwnerKey::parse).collect())
    }

    /// The one of this name.
    pub(crate) fn named(&self, kid: &str) -> Option<&OwnerKey> {
        self.0.iter().find(|key| key.kid == kid)
    }

    /// The one with this thumbprint (RFC 7638).
    pub(crate) fn with_thumbprint(&self, thumbprint: &Thumbprint) -> Option<&OwnerKey> {
        self.0.iter().find(|key| key.key.thumbprint().as_ref() == Some(thumbprint))
    }
}

impl OwnerKey {
    /// None where it cannot be used.
    pub(crate) fn parse(key: Key) -> Option<Self> {
        let entity_id = key.id();
        let jwk = serde_json::to_vec(&key.jwk).unwrap_or_default();
        match VerificationKey::from_jwk(&jwk) {
            Ok(parsed) => {
                let Key { kid, enabled, expires_at, .. } = key;
                Some(Self { entity_id, kid, key: parsed, enabled, expires_at })
            }
            Err(error) => {
                tracing::warn!(event = "key_unusable", owner = key.owner, kid = key.kid, "{error}");
                None
            }
        }
    }

    /// Whether it signed this.
    ///
    /// # Errors
    /// [`Cause::AssertionSignatureWrong`].
    pub(crate) fn check_signature(&self, jws: &Jws<'_>) -> Result<(), Cause> {
        match jws.verify(&self.key) {
            Ok(_) => Ok(()),
            Err(SignatureError::AlgorithmMismatch | SignatureError::Invalid) => {
                Err(Cause::AssertionSignatureWrong)
            }
        }
    }

    /// Whether it is taken at this time.
    ///
    /// # Errors
    /// `disabled` or `expired`.
    pub(crate) fn check_standing(&self, now: UnixTime, disabled: Cause, expired: Cause) -> Result<(), Cause> {
        if !self.enabled {
            return Err(disabled);
        }
        match self.expires_at {
            Some(end) if end <= now.0 => Err(expired),
            _ => Ok(()),
        }
    }

    /// What its last use is noted under.
    pub(crate) fn entity(&self, realm: &str) -> Entity {
        Entity { kind: Key::KIND, realm: realm.to_owned(), id: self.entity_id.clone() }
    }
}
