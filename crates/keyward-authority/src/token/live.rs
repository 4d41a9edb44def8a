//! Whether one of our access tokens is good now.

use std::collections::HashSet;
use std::sync::Arc;

use keyward::UnixTime;
use zeroize::Zeroizing;

use super::former_holders::FormerHolders;
use super::principal::Principal;
use super::read_token::ReadToken;
use super::secret_text::{OPAQUE_PREFIX, hash};
use super::{ACCESS_TOKEN_TYPE, AccessToken};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Client, RefreshFamily, RevokedToken, SubjectType};

/// What a token says that we signed or keep; none where we did not. Whether it is good is [`AccessToken::stands`].
///
/// # Errors
/// [`Cause::Unavailable`].
pub(super) async fn read(
    authority: &Authority,
    realm: &str,
    token: &str,
) -> Result<Option<Arc<ReadToken>>, Cause> {
    if token.starts_with(OPAQUE_PREFIX) {
        let kept = Box::pin(authority.view().store().token(realm, &hash(token))).await?.map(Zeroizing::new);
        return Ok(kept.and_then(|claims| ReadToken::of(claims.as_bytes())).map(Arc::new));
    }
    let mut ring = authority.ring(realm).await?;
    let signed = &authority.tokens().signed;
    if let Some(known) = signed.find(token, |with| ring.publishes(with)) {
        return Ok(Some(known));
    }
    if ring.lacks_key_of(token.as_bytes()) {
        // What is remembered may be older than the key (promise 9).
        ring = Box::pin(authority.ring_now(realm)).await?;
    }
    let Some((payload, with)) = ring.verify_with(token.as_bytes(), ACCESS_TOKEN_TYPE) else {
        return Ok(None);
    };
    let Some(read) = ReadToken::of(&Zeroizing::new(payload)).map(Arc::new) else {
        return Ok(None);
    };
    signed.insert(token, with, Arc::clone(&read));
    Ok(Some(read))
}

impl AccessToken<'_> {
    /// In whose name it speaks, where it is good: it is not over, not revoked, nor are the refresh tokens that it goes with, and
    /// those it is for are still let in, and are not others of the same names.
    ///
    /// # Errors
    /// [`Cause::Unavailable`].
    pub(super) async fn stands(
        &self,
        authority: &Authority,
        realm: &str,
        now: UnixTime,
    ) -> Result<Option<Principal>, Cause> {
        // Our own clocks: no leeway. A token is never good for longer than it says.
        if !authority.is_issuer(&self.iss, realm) || self.exp <= now.0 {
            return Ok(None);
        }
        if self.is_revoked(authority, realm).await? {
            return Ok(None);
        }
        if self.is_of_former_holder(authority, realm).await? {
            return Ok(None);
        }
        let is_own = self.subject_type == SubjectType::ServiceAccount && self.client_id == self.sub;
        let is_known = is_own || self.client_stands(authority, realm).await?;
        if !is_known || !self.grant_stands(authority, realm).await? {
            return Ok(None);
        }
        match Principal::find(authority, realm, self.subject_type, &self.sub).await {
            Ok(principal) => Ok(Some(principal)),
            Err(Cause::Unavailable) => Err(Cause::Unavailable),
            Err(_) => Ok(None),
        }
    }

    async fn is_revoked(&self, authority: &Authority, realm: &str) -> Result<bool, Cause> {
        let shard = RevokedToken::shard(&self.jti);
        let names = |revoked: Vec<RevokedToken>| Revoked(revoked.into_iter().map(|one| one.jti).collect());
        let revoked = authority.view().made_of::<RevokedToken, Revoked>(realm, shard, names).await?;
        Ok(revoked.0.contains(&*self.jti))
    }

    /// An account's own token names it as its client as well, and no client can be called so.
    async fn is_of_former_holder(&self, authority: &Authority, realm: &str) -> Result<bool, Cause> {
        let former = FormerHolders::of(authority, realm).await?;
        Ok(former.had_realm(self.iat)
            || former.had(SubjectType::Client, &self.client_id, self.iat)
            || former.had(self.subject_type, &self.sub, self.iat))
    }

    async fn client_stands(&self, authority: &Authority, realm: &str) -> Result<bool, Cause> {
        let client = authority.view().find::<Client>(realm, &self.client_id).await?;
        Ok(client.is_some_and(|client| client.enabled))
    }

    async fn grant_stands(&self, authority: &Authority, realm: &str) -> Result<bool, Cause> {
        let Some(grant) = &self.grant else {
            return Ok(true);
        };
        let id = RefreshFamily::id_of(&self.client_id, grant);
        let family = authority.view().find::<RefreshFamily>(realm, &id).await?;
        Ok(family.is_some_and(|family| !family.revoked))
    }
}

/// The `jti`s of a part of those that are revoked.
struct Revoked(HashSet<String>);
