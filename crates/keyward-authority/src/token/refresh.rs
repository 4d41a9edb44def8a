//! Refresh tokens: each is good once, and what comes out of it is another one (RFC 9700 §4.14.2).
//!
//! There is no grace for an earlier one. Of two uses of one token at once one wins; the other is a use of an earlier token, and
//! ends the family, as it would a moment later. Whoever stole a token may as well be the one that won. A machine whose
//! answer was lost begins anew by the grant that it began with.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use keyward::{Now, UnixTime};
use zeroize::Zeroizing;

use super::secret_text::{REFRESH_PREFIX, hash, random_name, random_secret};
use super::{Confirmation, Principal, Target, kept};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Client, ClientKind, Realm, RefreshFamily};
use crate::storage::Command;

/// A refresh token that somebody shows: `kw_rt_`, 22 characters that a family has in common, a dot, and 43 of its own.
#[derive(Debug)]
pub(super) struct ShownToken<'a> {
    root: &'a str,
    /// The family that it would be of.
    pub(super) family: String,
    hash: String,
}

impl<'a> ShownToken<'a> {
    /// None where it is no refresh token.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (root, tip) = text.strip_prefix(REFRESH_PREFIX)?.split_once('.')?;
        let is_sound = root.len() == 22 && tip.len() == 43;
        is_sound.then(|| Self { root, family: hash(root), hash: hash(text) })
    }

    /// Whether it is the family's last one. In constant time.
    pub(super) fn is_current(&self, family: &RefreshFamily) -> bool {
        verify_slices_are_equal(self.hash.as_bytes(), family.current.as_bytes()).is_ok()
    }

    /// What it comes out of, where it may be used by `client` now. The use of an earlier one ends the family.
    ///
    /// # Errors
    /// [`Cause::RefreshTokenExpired`], [`Cause::RefreshTokenReused`], [`Cause::RefreshTokenRevoked`],
    /// [`Cause::RefreshTokenUnknown`], [`Cause::Unavailable`].
    pub(super) async fn family(
        &self,
        authority: &Authority,
        realm: &str,
        client: &Client,
        now: Now,
    ) -> Result<RefreshFamily, Cause> {
        let id = RefreshFamily::id_of(&client.id, &self.family);
        let family = kept::read_now::<RefreshFamily>(authority, realm, &id).await?;
        let family = family.ok_or(Cause::RefreshTokenUnknown)?;
        is_good(&family, now.wall)?;
        if self.is_current(&family) {
            return Ok(family);
        }
        end(kept::command(authority, &client.id, now).await?, realm, &id, "refresh_family.reused").await?;
        Err(Cause::RefreshTokenReused)
    }

    /// What it comes out of, where it is good now. To ask about an earlier one is no use of it.
    ///
    /// # Errors
    /// [`Cause::Unavailable`].
    pub(super) async fn current_family(
        &self,
        authority: &Authority,
        realm: &str,
        client: &str,
        now: UnixTime,
    ) -> Result<Option<RefreshFamily>, Cause> {
        let id = RefreshFamily::id_of(client, &self.family);
        let family = kept::read_now::<RefreshFamily>(authority, realm, &id).await?;
        Ok(family.filter(|family| is_good(family, now).is_ok() && self.is_current(family)))
    }

    /// Puts another one in its place, in one command: where somebody did so before, since its family was read, this is the use
    /// of an earlier one.
    ///
    /// # Errors
    /// As [`family`](Self::family).
    pub(super) async fn rotate(
        &self,
        authority: &Authority,
        realm: &Realm,
        client: &Client,
        now: Now,
    ) -> Result<Zeroizing<String>, Cause> {
        let id = RefreshFamily::id_of(&client.id, &self.family);
        let mut command = kept::command(authority, &client.id, now).await?;
        let family = kept::read::<RefreshFamily>(&mut command, &realm.name, &id).await?;
        let mut family = family.ok_or(Cause::RefreshTokenUnknown)?;
        is_good(&family, now.wall)?;
        if !self.is_current(&family) {
            end(command, &realm.name, &id, "refresh_family.reused").await?;
            return Err(Cause::RefreshTokenReused);
        }
        let token = token(self.root);
        family.current = hash(&token);
        family.generation = family.generation.saturating_add(1);
        family.expires_at = expiry(realm, now.wall);
        kept::put(&mut command, &realm.name, "refresh_family.rotated", &family).await?;
        command.commit().await?;
        Ok(token)
    }
}

/// A family that begins.
pub(super) struct NewFamily<'a> {
    pub(super) client: &'a Client,
    pub(super) principal: &'a Principal,
    pub(super) target: &'a Target,
    pub(super) confirmation: Option<&'a Confirmation>,
    pub(super) actor: Option<&'a serde_json::Value>,
}

/// What the tokens of a family have in common, and what it is called by that.
pub(super) struct Root {
    root: Zeroizing<String>,
    pub(super) family: String,
}

impl Root {
    pub(super) fn new() -> Self {
        let root = Zeroizing::new(random_name());
        let family = hash(&root);
        Self { root, family }
    }

    /// The first token of a family.
    ///
    /// # Errors
    /// [`Cause::Unavailable`].
    pub(super) async fn begin(
        &self,
        authority: &Authority,
        realm: &Realm,
        new: NewFamily<'_>,
        now: Now,
    ) -> Result<Zeroizing<String>, Cause> {
        let NewFamily { client, principal, target, confirmation, actor } = new;
        // Who authenticates itself anew each time need not prove another key as well (RFC 9449 §5, RFC 8705 §4).
        let confirmation = confirmation.filter(|_| client.kind == ClientKind::Public);
        let token = token(&self.root);
        let family = RefreshFamily {
            id: self.family.clone(),
            client: client.id.clone(),
            subject: principal.subject().to_owned(),
            subject_type: principal.subject_type(),
            audiences: target.audiences.clone(),
            scopes: target.scopes.clone(),
            current: hash(&token),
            generation: 1,
            confirmation: confirmation.and_then(|confirmation| serde_json::to_value(confirmation).ok()),
            actor: actor.cloned(),
            began_at: now.wall.0,
            expires_at: expiry(realm, now.wall),
            revoked: false,
        };
        let mut command = kept::command(authority, &client.id, now).await?;
        kept::put(&mut command, &realm.name, "refresh_family.begun", &family).await?;
        command.commit().await?;
        Ok(token)
    }
}

/// Ends a family, and so the access tokens that go with it. One that has ended stays as it is.
///
/// # Errors
/// [`Cause::Unavailable`].
pub(super) async fn end(
    mut command: Command,
    realm: &str,
    id: &str,
    action: &'static str,
) -> Result<(), Cause> {
    let family = kept::read::<RefreshFamily>(&mut command, realm, id).await?;
    if let Some(mut family) = family.filter(|family| !family.revoked) {
        family.revoked = true;
        kept::put(&mut command, realm, action, &family).await?;
        command.commit().await?;
    }
    Ok(())
}

fn token(root: &str) -> Zeroizing<String> {
    // As long as it gets: a text that grew would leave a copy behind.
    let mut token = Zeroizing::new(String::with_capacity(REFRESH_PREFIX.len() + 22 + 1 + 43));
    for part in [REFRESH_PREFIX, root, ".", random_secret().as_str()] {
        token.push_str(part);
    }
    token
}

fn is_good(family: &RefreshFamily, now: UnixTime) -> Result<(), Cause> {
    if family.revoked {
        Err(Cause::RefreshTokenRevoked)
    } else if family.expires_at <= now.0 {
        Err(Cause::RefreshTokenExpired)
    } else {
        Ok(())
    }
}

fn expiry(realm: &Realm, now: UnixTime) -> i64 {
    now.0.saturating_add_unsigned(realm.refresh_token_lifetime)
}
