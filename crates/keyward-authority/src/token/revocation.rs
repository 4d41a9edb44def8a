//! The end of a token before its time (RFC 7009).

use super::refresh::{ShownToken, end};
use super::secret_text::{OPAQUE_PREFIX, REFRESH_PREFIX, hash};
use super::{kept, live};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::{Client, Kept, RefreshFamily, RevokedToken, SubjectType};
use crate::http::FormRequest;

/// Ends a token of this client. One that is unknown, over or revoked is ended already (RFC 7009 §2.2). A refresh token takes its
/// family with it, and the access tokens that go with that.
///
/// # Errors
/// [`Cause::TokenOfAnother`], [`Cause::Unavailable`].
pub(crate) async fn revoke(
    authority: &Authority,
    request: &FormRequest,
    client: &Client,
    token: &str,
) -> Result<(), Cause> {
    if token.starts_with(REFRESH_PREFIX) {
        return revoke_family(authority, request, client, token).await;
    }
    let realm = request.realm.name.as_str();
    let Some(read) = live::read(authority, realm, token).await? else {
        return Ok(());
    };
    let claims = &read.claims;
    if claims.exp <= request.arrived.wall.0 {
        return Ok(());
    }
    // A service account that asked without a client may have the same name as one.
    let is_accounts_own =
        claims.subject_type == SubjectType::ServiceAccount && claims.client_id == claims.sub;
    if claims.client_id != client.id || is_accounts_own {
        return Err(Cause::TokenOfAnother);
    }
    if token.starts_with(OPAQUE_PREFIX) {
        return Ok(authority.view().store().revoke_token(realm, &hash(token)).await?);
    }
    let revoked = RevokedToken { jti: claims.jti.to_string(), expires_at: claims.exp };
    let mut command = kept::command(authority, &client.id, request.arrived).await?;
    if kept::read::<RevokedToken>(&mut command, realm, &revoked.id()).await?.is_none() {
        kept::put(&mut command, realm, "access_token.revoked", &revoked).await?;
        command.commit().await?;
    }
    Ok(())
}

async fn revoke_family(
    authority: &Authority,
    request: &FormRequest,
    client: &Client,
    token: &str,
) -> Result<(), Cause> {
    let Some(shown) = ShownToken::parse(token) else {
        return Ok(());
    };
    let (realm, id) = (request.realm.name.as_str(), RefreshFamily::id_of(&client.id, &shown.family));
    // Nobody holds up the log for a token that never was.
    if kept::read_now::<RefreshFamily>(authority, realm, &id).await?.is_none_or(|family| family.revoked) {
        return Ok(());
    }
    let command = kept::command(authority, &client.id, request.arrived).await?;
    end(command, realm, &id, "refresh_family.revoked").await
}
