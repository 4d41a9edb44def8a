//! Private keys that are sealed under another master key than the one that seals now.
//!
//! Only of keys that sign or are going to is it of importance: what has signed is verified by its public half.

use std::collections::BTreeMap;
use std::fmt;

use super::lifecycle::KeyState;
use super::realm_keys::{RealmKeys, Source};
use super::rotation::{begin_command, look, tell, withdraw_compromised};
use super::rotation_error::RotationError;
use super::store::{self, KeyStoreError};
use crate::authority::Authority;
use crate::entity::{Kept, Realm, SigningKey};
use crate::storage::{Action, Actor, Store, StoreError};

/// Realms that are read at once.
const PAGE: u32 = 500;

/// What came of sealing anew.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Resealed {
    /// How many keys are sealed under the master key that were not.
    pub sealed: u64,
    /// How many were before.
    pub unchanged: u64,
    /// Those that cannot be opened, and stay as they are.
    pub closed: Vec<ClosedKey>,
}

/// A key that signs or is going to, and cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosedKey {
    /// Whose.
    pub realm: String,
    /// Which.
    pub kid: String,
    /// Whether it signs.
    pub state: KeyState,
    /// Why not.
    pub cause: KeyStoreError,
}

/// Seals every key that signs or is going to under the master key that seals now, a realm at a time, each in a command. Other nodes
/// go on meanwhile; they need both master keys from before until after it. What is sealed so already stays as it is.
///
/// # Errors
/// [`RotationError`]: then some realms' keys are sealed anew, and those of others can be the next time.
pub async fn reseal(authority: &Authority, actor: &Actor) -> Result<Resealed, RotationError> {
    let mut done = Resealed::default();
    for realm in realms(authority.view().store()).await? {
        reseal_realm(authority, actor, &realm, &mut done).await?;
    }
    Ok(done)
}

/// Withdraws those of a lost master key as compromised, so that others sign in their place.
///
/// # Errors
/// As [`withdraw_compromised`].
pub async fn withdraw_closed(
    authority: &Authority,
    actor: &Actor,
    closed: &[ClosedKey],
) -> Result<(), RotationError> {
    // Those that sign come last: none of the others must take their place.
    let (signing, next): (Vec<_>, Vec<_>) = closed.iter().partition(|key| key.state == KeyState::Active);
    for ClosedKey { realm, kid, .. } in next.into_iter().chain(signing) {
        withdraw_compromised(authority, actor.clone(), realm, kid).await?;
    }
    Ok(())
}

/// The first key that signs or is going to and whose master key is not there.
///
/// # Errors
/// [`StoreError`].
pub async fn first_closed(authority: &Authority) -> Result<Option<ClosedKey>, StoreError> {
    for realm in realms(authority.view().store()).await? {
        // What cannot be read at all is told of by the rotation.
        let Ok(Some(keys)) = look(authority, &realm).await else { continue };
        for (state, key) in of_importance(&keys) {
            if let Err(cause) = authority.key_store().check(&key.private) {
                return Ok(Some(ClosedKey { realm, kid: key.kid.clone(), state, cause }));
            }
        }
    }
    Ok(None)
}

async fn reseal_realm(
    authority: &Authority,
    actor: &Actor,
    realm: &str,
    done: &mut Resealed,
) -> Result<(), RotationError> {
    let Some(keys) = look(authority, realm).await? else { return Ok(()) };
    let mut sealed = BTreeMap::new();
    // Opened and sealed here, and not while everybody waits.
    for (state, key) in of_importance(&keys) {
        let Some(algorithm) = store::algorithm(&key.algorithm) else { continue };
        match authority.key_store().reseal(realm, &key.kid, algorithm, &key.private).await {
            Ok(Some(private)) => drop(sealed.insert(key.kid.as_str(), (&key.private, private))),
            Ok(None) => done.unchanged += 1,
            Err(cause) => {
                let (realm, kid) = (realm.to_owned(), key.kid.clone());
                done.closed.push(ClosedKey { realm, kid, state, cause });
            }
        }
    }
    if sealed.is_empty() {
        return Ok(());
    }
    let mut command = begin_command(authority, actor.clone()).await?;
    let Some(mut now) = RealmKeys::read(&mut Source::Command(&mut command), realm, keys.now).await? else {
        return Ok(());
    };
    let (mut changed, action) = (0, Action("signing_key.resealed"));
    for (kid, (before, after)) in sealed {
        match now.find(kid) {
            Ok(key) if key.private == *before => key.private = after,
            // It is gone, or somebody else has just sealed it anew.
            Ok(_) | Err(_) => continue,
        }
        command.append(&now.change(action, kid)?).await?;
        tell(action, realm, kid);
        changed += 1;
    }
    command.commit().await?;
    done.sealed += changed;
    Ok(())
}

fn of_importance(keys: &RealmKeys) -> impl Iterator<Item = (KeyState, &SigningKey)> {
    let states = [KeyState::Active, KeyState::Published];
    states.into_iter().flat_map(|state| keys.in_state(state).map(move |key| (state, key)))
}

async fn realms(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut realms: Vec<String> = Vec::new();
    loop {
        let after = realms.last().map_or("", String::as_str);
        let page = store.of_every_realm(Realm::KIND, after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        realms.extend(page.into_iter().map(|realm| realm.id));
        if is_last {
            return Ok(realms);
        }
    }
}

impl fmt::Display for ClosedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signing key {} of realm {}: {}", self.kid, self.realm, self.cause)
    }
}
