//! A realm's signing keys, as far as people have a say.

use super::OperationError;
use crate::authority::Authority;
use crate::entity::{Realm, SigningKey, entity};
use crate::signing::{self, RotationError};
use crate::storage::Actor;

/// Asks for other keys to sign. Each goes on signing until its successor was published for long enough (promise 10).
///
/// # Errors
/// [`OperationError`].
pub async fn rotate_signing_keys(
    authority: &Authority,
    by: &Actor,
    realm: &str,
) -> Result<(), OperationError> {
    demand_name(realm)?;
    signing::rotate_now(authority, by.clone(), realm).await.map_err(refused(realm))
}

/// Withdraws a key that nothing needs any more.
///
/// # Errors
/// [`OperationError::InUse`] where it signs, or what it signed is good; and the rest.
pub async fn retire_signing_key(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    kid: &str,
) -> Result<(), OperationError> {
    demand_name(realm)?;
    signing::retire(authority, by.clone(), realm, kid).await.map_err(refused(realm))
}

/// Withdraws a key at once, whose private half somebody else may have. What it signed is good no more.
///
/// # Errors
/// [`OperationError`].
pub async fn withdraw_signing_key(
    authority: &Authority,
    by: &Actor,
    realm: &str,
    kid: &str,
) -> Result<(), OperationError> {
    demand_name(realm)?;
    signing::withdraw_compromised(authority, by.clone(), realm, kid).await.map_err(refused(realm))
}

/// What cannot be a realm's name is none: the database is not asked for it.
fn demand_name(realm: &str) -> Result<(), OperationError> {
    super::check::realm("realm", realm)
        .map_err(|_| OperationError::NotFound { entity: entity::<Realm>(realm, realm) })
}

/// Why the keys of `realm` stay as they are.
pub(super) fn refused(realm: &str) -> impl FnOnce(RotationError) -> OperationError {
    let realm = realm.to_owned();
    let key = move |kid: &str| entity::<SigningKey>(&realm.clone(), kid);
    move |error| {
        let why = error.to_string();
        match error {
            RotationError::AlgorithmUnknown { .. } => OperationError::invalid("algorithms", why),
            RotationError::KeyUnknown { kid } => OperationError::NotFound { entity: key(&kid) },
            RotationError::RealmUnknown => {
                let realm = key("").realm;
                OperationError::NotFound { entity: entity::<Realm>(&realm, &realm) }
            }
            RotationError::StillGood { kid, .. } | RotationError::StillSigns { kid } => {
                OperationError::InUse { entity: key(&kid), why }
            }
            RotationError::View(error) => error.into(),
            RotationError::KeyStore { .. } | RotationError::NoRest => OperationError::KeyUnavailable { why },
        }
    }
}
