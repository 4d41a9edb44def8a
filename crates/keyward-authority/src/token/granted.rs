//! What a client gets that asks for a token.

use zeroize::Zeroizing;

use super::grant::{self, Refresh};
use super::issue::{NewToken, issue};
use super::refresh::{NewFamily, Root};
use super::{Confirmation, Principal, Target, binding};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::client_auth::{Authenticated, authenticate, shows_any};
use crate::entity::{GrantType, TokenFormat};
use crate::http::{FormRequest, Refusal};
use crate::wiped::Wiped;

/// `issued_token_type` of what has to be a JWT.
pub(super) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What a client gets (RFC 6749 §5.1).
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) access_token: Wiped<String>,
    pub(crate) token_type: &'static str,
    /// In seconds.
    pub(crate) expires_in: i64,
    pub(crate) scope: String,
    pub(crate) refresh_token: Option<Zeroizing<String>>,
    /// RFC 8693 §2.2.1.
    pub(crate) issued_token_type: Option<&'static str>,
}

/// What a request to the token endpoint is granted.
///
/// # Errors
/// A [`Refusal`].
pub(crate) async fn granted(authority: &Authority, request: &FormRequest) -> Result<Granted, Refusal> {
    let grant_type = grant::grant_type(request).map_err(Refusal::of_request)?;
    let client = client(authority, request, grant_type).await?;
    let refused = |cause| Refusal::of_grant(grant_type, cause);
    decide(authority, request, grant_type, client.as_ref()).await.map_err(refused)
}

/// The client; none where a service account asks without one, which it may (RFC 7521 §4.1).
async fn client(
    authority: &Authority,
    request: &FormRequest,
    grant_type: GrantType,
) -> Result<Option<Authenticated>, Refusal> {
    if grant_type == GrantType::JwtBearer && !shows_any(request) {
        return Ok(None);
    }
    let client = authenticate(authority, request).await?;
    request.known.is(&client.client.id);
    Ok(Some(client))
}

async fn decide(
    authority: &Authority,
    request: &FormRequest,
    grant_type: GrantType,
    client: Option<&Authenticated>,
) -> Result<Granted, Cause> {
    if client.is_some_and(|client| !client.client.grant_types.contains(&grant_type)) {
        return Err(Cause::GrantNotAllowed);
    }
    let grant = grant::grant(authority, request, grant_type, client).await?;
    let of_client = client.map(|client| Principal::Client(client.client.clone()));
    let mut allowed = Vec::with_capacity(3);
    allowed.extend(grant.limits.as_ref().map(grant::Limits::allowed));
    allowed.push(grant.principal.allowed());
    allowed.extend(of_client.as_ref().map(Principal::allowed));
    let target = Target::resolve(authority, request, &allowed, grant.unsaid).await?;
    if grant.issued_token_type == Some(JWT) && target.format != TokenFormat::Jwt {
        return Err(Cause::SubjectTokenTypeUnsupported);
    }
    let confirmation = binding::confirmation(authority, request, client).await?;
    if !grant.confirmation.as_ref().is_none_or(|bound| bound.is_proved_by(confirmation.as_ref())) {
        return Err(grant.unproved);
    }
    let root = begins_family(&grant.refresh, client).then(Root::new);
    let family = match (&grant.refresh, &root) {
        (Refresh::Next(shown), _) => Some(shown.family.as_str()),
        (_, Some(root)) => Some(root.family.as_str()),
        _ => None,
    };
    let new = NewToken {
        principal: &grant.principal,
        client_id: client.map_or(grant.principal.subject(), |client| &client.client.id),
        target: &target,
        confirmation: confirmation.as_ref(),
        actor: grant.actor.as_ref(),
        family,
        not_after: grant.not_after,
    };
    // Before the refresh token: what cannot be signed must not cost its client that.
    let issued = issue(authority, request, new).await?;
    let refresh_token = match (&grant.refresh, client, &root) {
        (Refresh::Next(shown), Some(client), _) => {
            Some(Box::pin(shown.rotate(authority, &request.realm, &client.client, request.arrived)).await?)
        }
        (_, Some(client), Some(root)) => {
            let new = NewFamily {
                client: &client.client,
                principal: &grant.principal,
                target: &target,
                confirmation: confirmation.as_ref(),
                actor: grant.actor.as_ref(),
            };
            Some(Box::pin(root.begin(authority, &request.realm, new, request.arrived)).await?)
        }
        _ => None,
    };
    authority.observer().issued(&request.realm.name, grant_type, target.format);
    Ok(Granted {
        access_token: issued.text,
        token_type: Confirmation::token_type(confirmation.as_ref()),
        expires_in: issued.lifetime,
        scope: issued.scope,
        refresh_token,
        issued_token_type: grant.issued_token_type,
    })
}

fn begins_family(refresh: &Refresh<'_>, client: Option<&Authenticated>) -> bool {
    let may_refresh = |client: &Authenticated| client.client.grant_types.contains(&GrantType::RefreshToken);
    matches!(refresh, Refresh::New) && client.is_some_and(may_refresh)
}
