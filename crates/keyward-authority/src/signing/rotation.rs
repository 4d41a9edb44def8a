//! Keys that come and go: what the life of keys asks for is done in a command, which no other command overlaps.
//!
//! So two nodes that rotate at once do so one after the other, and the second finds nothing left to do (incident B20); and a realm
//! is there with a key that signs, or not at all (incident B8).

use keyward::UnixTime;

use super::lifecycle::{KeyState, plan};
use super::realm_keys::{NewKeys, RealmKeys, Source};
use super::rotation_error::RotationError;
use super::store;
use crate::authority::Authority;
use crate::entity::Realm;
use crate::signing::Step;
use crate::storage::{Action, Actor, Command};

/// More steps than any realm needs until nothing is left to do: a bound, not a limit.
const ROUNDS: usize = 10;

/// Makes the first keys of a realm that the same command makes. They sign at once: nobody can have an older set.
///
/// # Errors
/// [`RotationError`]: then the command can only be dropped.
pub async fn begin(
    command: &mut Command,
    realm: &Realm,
    new: NewKeys,
    now: UnixTime,
) -> Result<(), RotationError> {
    let keys = RealmKeys::of(&mut Source::Command(command), realm.clone(), now.0).await?;
    Turn { command, keys, new }.run().await.map(drop)
}

/// Does what is due in a realm, and says when something is next, in seconds since 1970; none where the realm is not there.
///
/// # Errors
/// [`RotationError`]: then nothing is changed.
pub async fn turn(authority: &Authority, realm: &str) -> Result<Option<i64>, RotationError> {
    let Some(keys) = look(authority, realm).await? else { return Ok(None) };
    // Most of the time there is nothing to do, and no command has to wait for that.
    let planned = plan(keys.now, &keys.records(), &keys.settings);
    if planned.steps.is_empty() {
        return Ok(planned.next);
    }
    let mut new = NewKeys::none(authority.key_store(), realm);
    for step in &planned.steps {
        if let Step::Generate { algorithm } = step {
            // A node with another master key would make keys that the others cannot open.
            open_those_that_sign(authority, &keys).await?;
            new.make(algorithm).await?;
        }
    }
    let mut command = begin_command(authority, Actor("authority".to_owned())).await?;
    let Some(keys) = RealmKeys::read(&mut Source::Command(&mut command), realm, now(authority)).await? else {
        return Ok(None);
    };
    let next = Turn { command: &mut command, keys, new }.run().await?;
    command.commit().await?;
    Ok(next)
}

/// Asks for other keys to sign in the place of those that do. Each goes on signing until its successor was published for long
/// enough. A realm whose keys are being replaced already stays as it is.
///
/// # Errors
/// [`RotationError::RealmUnknown`], and as [`turn`].
pub async fn rotate_now(authority: &Authority, actor: Actor, realm: &str) -> Result<(), RotationError> {
    let keys = look(authority, realm).await?.ok_or(RotationError::RealmUnknown)?;
    open_those_that_sign(authority, &keys).await?;
    let mut new = NewKeys::none(authority.key_store(), realm);
    for key in keys.in_state(KeyState::Active) {
        if !keys.in_state(KeyState::Published).any(|next| next.algorithm == key.algorithm) {
            new.make(&key.algorithm).await?;
        }
    }
    change(authority, actor, realm, new, async |turn| {
        let now = turn.keys.now;
        for kid in turn.keys.kids_in_state(KeyState::Active) {
            let key = turn.keys.find(&kid)?;
            // Asked twice is asked once.
            if key.times.replace_at.is_none() {
                key.times.replace_at = Some(now);
                turn.append(Action("signing_key.replacement_asked"), &kid).await?;
            }
        }
        Ok(())
    })
    .await
}

/// Withdraws a key that nothing needs any more, or that never signed. One that is withdrawn already stays so.
///
/// # Errors
/// [`RotationError::StillSigns`] and [`RotationError::StillGood`] where tokens would be lost, [`RotationError::KeyUnknown`],
/// [`RotationError::RealmUnknown`], and as [`turn`].
pub async fn retire(
    authority: &Authority,
    actor: Actor,
    realm: &str,
    kid: &str,
) -> Result<(), RotationError> {
    let new = NewKeys::none(authority.key_store(), realm);
    change(authority, actor, realm, new, async |turn| {
        let (now, record) = (turn.keys.now, turn.keys.record(kid)?);
        match (record.times.state(), record.good_until(&turn.keys.settings)) {
            (KeyState::Retired, _) => return Ok(()),
            (KeyState::Active, _) => return Err(RotationError::StillSigns { kid: kid.to_owned() }),
            (KeyState::Passive, Some(until)) if until > now => {
                return Err(RotationError::StillGood { kid: kid.to_owned(), until });
            }
            (KeyState::Passive | KeyState::Published, _) => {}
        }
        turn.end(kid)?;
        turn.append(Action("signing_key.retired"), kid).await
    })
    .await
}

/// Withdraws a key at once, whose private half somebody else may have: nothing that it signed is good from when verifiers have
/// fetched the key set again. Where it signed, its successor does so at once, though not everybody knows it yet; where there is
/// none it is made.
///
/// # Errors
/// [`RotationError::KeyUnknown`], [`RotationError::RealmUnknown`], and as [`turn`].
pub async fn withdraw_compromised(
    authority: &Authority,
    actor: Actor,
    realm: &str,
    kid: &str,
) -> Result<(), RotationError> {
    let keys = look(authority, realm).await?.ok_or(RotationError::RealmUnknown)?;
    let mut new = NewKeys::none(authority.key_store(), realm);
    // Made here, and not while everybody waits; that those that sign can be opened here is not asked: perhaps none can be.
    if let Some(algorithm) = keys.wants_successor(kid) {
        new.make(&algorithm).await?;
    }
    change(authority, actor, realm, new, async |turn| {
        if turn.keys.record(kid)?.times.state() == KeyState::Retired {
            return Ok(());
        }
        if let Some(algorithm) = turn.keys.algorithm_to_replace(kid) {
            let successor = match turn.keys.oldest_published(&algorithm, kid) {
                Some(successor) => successor,
                None => turn.generate(&algorithm).await?,
            };
            turn.activate(&successor).await?;
        }
        turn.end(kid)?;
        turn.append(Action("signing_key.compromised"), kid).await
    })
    .await
}

/// Runs an operation on a realm's keys, and what is due after it, in one command.
async fn change(
    authority: &Authority,
    actor: Actor,
    realm: &str,
    new: NewKeys,
    operation: impl AsyncFnOnce(&mut Turn<'_>) -> Result<(), RotationError>,
) -> Result<(), RotationError> {
    let mut command = begin_command(authority, actor).await?;
    let keys = RealmKeys::read(&mut Source::Command(&mut command), realm, now(authority)).await?;
    let keys = keys.ok_or(RotationError::RealmUnknown)?;
    let mut turn = Turn { command: &mut command, keys, new };
    operation(&mut turn).await?;
    turn.run().await?;
    command.commit().await?;
    Ok(())
}

pub(super) async fn look(authority: &Authority, realm: &str) -> Result<Option<RealmKeys>, RotationError> {
    RealmKeys::read(&mut Source::Store(authority.view().store()), realm, now(authority)).await
}

pub(super) async fn begin_command(authority: &Authority, actor: Actor) -> Result<Command, RotationError> {
    let at_ms = now(authority).saturating_mul(1000);
    Ok(authority.view().store().command(actor, at_ms).await?)
}

fn now(authority: &Authority) -> i64 {
    authority.clock().now().wall.0
}

async fn open_those_that_sign(authority: &Authority, keys: &RealmKeys) -> Result<(), RotationError> {
    for key in keys.in_state(KeyState::Active) {
        let Some(algorithm) = store::algorithm(&key.algorithm) else { continue };
        let opened = authority.key_store().open(&keys.realm.name, &key.kid, algorithm, &key.private).await;
        opened.map_err(|cause| RotationError::KeyStore { kid: Some(key.kid.clone()), cause })?;
    }
    Ok(())
}

/// A change of a realm's keys, within a command.
struct Turn<'a> {
    command: &'a mut Command,
    keys: RealmKeys,
    new: NewKeys,
}

impl Turn<'_> {
    /// Does all that is due, and says when something is next.
    async fn run(mut self) -> Result<Option<i64>, RotationError> {
        for _ in 0..ROUNDS {
            let planned = plan(self.keys.now, &self.keys.records(), &self.keys.settings);
            if planned.steps.is_empty() {
                return Ok(planned.next);
            }
            for step in &planned.steps {
                self.take(step).await?;
            }
        }
        Err(RotationError::NoRest)
    }

    async fn take(&mut self, step: &Step) -> Result<(), RotationError> {
        match step {
            Step::Activate { kid } => self.activate(kid).await,
            Step::Generate { algorithm } => self.generate(algorithm).await.map(drop),
            Step::Lengthen { kid } => {
                self.keys.find(kid)?.times.longest_token = self.keys.settings.token_lifetime;
                self.append(Action("signing_key.signs_longer_tokens"), kid).await
            }
            Step::MakePassive { kid } => {
                self.keys.find(kid)?.times.passive_since = Some(self.keys.now);
                self.append(Action("signing_key.passive"), kid).await
            }
            Step::Retire { kid } => {
                self.end(kid)?;
                self.append(Action("signing_key.retired"), kid).await
            }
        }
    }

    async fn activate(&mut self, kid: &str) -> Result<(), RotationError> {
        let (now, longest) = (self.keys.now, self.keys.settings.token_lifetime);
        let times = &mut self.keys.find(kid)?.times;
        (times.active_since, times.longest_token) = (Some(now), longest);
        self.append(Action("signing_key.activated"), kid).await
    }

    async fn generate(&mut self, algorithm: &str) -> Result<String, RotationError> {
        let key = self.new.take(algorithm, self.keys.now).await?;
        let kid = key.kid.clone();
        self.keys.keys.push(key);
        self.append(Action("signing_key.generated"), &kid).await?;
        Ok(kid)
    }

    fn end(&mut self, kid: &str) -> Result<(), RotationError> {
        let now = self.keys.now;
        let times = &mut self.keys.find(kid)?.times;
        times.passive_since.get_or_insert(now);
        times.retired_at = Some(now);
        Ok(())
    }

    async fn append(&mut self, action: Action, kid: &str) -> Result<(), RotationError> {
        let change = self.keys.change(action, kid)?;
        self.command.append(&change).await?;
        tell(action, &self.keys.realm.name, kid);
        Ok(())
    }
}

/// Says in the log what becomes of a key.
pub(super) fn tell(action: Action, realm: &str, kid: &str) {
    tracing::info!(
        event = "signing_key_changed",
        action = action.0,
        realm,
        kid,
        "the keys of a realm change"
    );
}
