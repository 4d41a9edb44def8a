//! Makes an access token.

use std::borrow::Cow;

use super::access_token::Audiences;
use super::secret_text::{OPAQUE_PREFIX, hash, random_secret, unique_name};
use super::{ACCESS_TOKEN_TYPE, AccessToken, Confirmation, Principal, Target};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::TokenFormat;
use crate::http::FormRequest;
use crate::wiped::Wiped;

/// What an access token is made of.
pub(super) struct NewToken<'a> {
    pub(super) principal: &'a Principal,
    pub(super) client_id: &'a str,
    pub(super) target: &'a Target,
    pub(super) confirmation: Option<&'a Confirmation>,
    pub(super) actor: Option<&'a serde_json::Value>,
    /// The refresh tokens that it goes with.
    pub(super) family: Option<&'a str>,
    /// What it must not outlive, in seconds since 1970.
    pub(super) not_after: Option<i64>,
}

/// An access token, what it is good for, and for how many seconds.
pub(super) struct IssuedToken {
    pub(super) text: Wiped<String>,
    pub(super) scope: String,
    pub(super) lifetime: i64,
}

/// Makes an access token. It outlives neither its key nor the certificate around that (promise 10).
///
/// # Errors
/// [`Cause::Unavailable`].
pub(super) async fn issue(
    authority: &Authority,
    request: &FormRequest,
    new: NewToken<'_>,
) -> Result<IssuedToken, Cause> {
    let NewToken { principal, client_id, target, confirmation, actor, family, not_after } = new;
    let realm = request.realm.name.as_str();
    let iat = request.arrived.wall.0;
    let mut exp = iat.saturating_add_unsigned(target.lifetime);
    if let Some(not_after) = not_after {
        exp = exp.min(not_after);
    }
    let algorithm = target.algorithm.as_deref();
    let ring = match target.format {
        TokenFormat::Jwt => Some(authority.ring_of(&request.realm).await?),
        TokenFormat::Opaque => None,
    };
    if let Some(until) = ring.as_ref().and_then(|ring| ring.signs_until(algorithm)) {
        exp = exp.min(until.0);
    }
    if exp <= iat {
        return Err(Cause::Unavailable);
    }
    let scope = target.scopes.join(" ");
    let claims = AccessToken {
        iss: Cow::Borrowed(&request.issuer),
        sub: Cow::Borrowed(principal.subject()),
        subject_type: principal.subject_type(),
        aud: Audiences(target.audiences.iter().map(|audience| Cow::Borrowed(audience.as_str())).collect()),
        exp,
        iat,
        jti: Cow::Owned(unique_name()),
        client_id: Cow::Borrowed(client_id),
        scope: Cow::Borrowed(&scope),
        cnf: confirmation.cloned(),
        act: actor.cloned(),
        grant: family.map(Cow::Borrowed),
    };
    // A struct of texts and numbers is always JSON.
    let claims = serde_json::to_string(&claims).map_err(|_| Cause::Unavailable)?;
    let text = match ring {
        Some(ring) => Wiped::new(ring.sign(ACCESS_TOKEN_TYPE, claims.as_bytes(), algorithm).await?),
        None => {
            let mut text = Wiped::new(String::with_capacity(OPAQUE_PREFIX.len() + 43));
            text.push_str(OPAQUE_PREFIX);
            text.push_str(&random_secret());
            Box::pin(authority.view().store().keep_token(realm, &hash(&text), exp, &claims)).await?;
            text
        }
    };
    Ok(IssuedToken { text, scope, lifetime: exp.saturating_sub(iat) })
}
