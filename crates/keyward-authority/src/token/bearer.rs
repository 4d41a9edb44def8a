//! A token of ours that authenticates a request (RFC 6750 §2.1, RFC 9449 §7.1).

use http::header::AUTHORIZATION;

use super::{Confirmation, binding, live};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::http::FormRequest;

/// Whether a request is authenticated by a token, or tries to be.
pub(super) fn shows_any(request: &FormRequest) -> bool {
    presented(request).is_some()
}

/// In whose name the token of a request speaks, where it is for the authority itself and has this scope.
///
/// # Errors
/// [`Cause::AuthenticationSeveral`], [`Cause::BearerRefused`], [`Cause::BearerScopeMissing`], those of a DPoP proof,
/// [`Cause::Unavailable`].
pub(super) async fn bearer(
    authority: &Authority,
    request: &FormRequest,
    scope: &str,
) -> Result<String, Cause> {
    let is_several = request.headers.get_all(AUTHORIZATION).iter().nth(1).is_some()
        || ["client_secret", "client_assertion"].iter().any(|name| request.form.find(name).is_some());
    if is_several {
        return Err(Cause::AuthenticationSeveral);
    }
    let (is_dpop, text) = presented(request).ok_or(Cause::BearerRefused)?;
    let realm = request.realm.name.as_str();
    let read = live::read(authority, realm, text).await?.ok_or(Cause::BearerRefused)?;
    let token = &read.claims;
    let standing = token.stands(authority, realm, request.arrived.wall).await?;
    if standing.is_none() || !token.aud.contains(&request.issuer) {
        return Err(Cause::BearerRefused);
    }
    if is_dpop != (Confirmation::token_type(token.cnf.as_ref()) == "DPoP") {
        return Err(Cause::BearerRefused);
    }
    if let Some(bound) = &token.cnf {
        let proved = binding::proved_for(authority, request, text).await?;
        if !bound.is_proved_by(proved.as_ref()) {
            return Err(Cause::BearerRefused);
        }
    }
    if token.has_scope(scope) { Ok(token.sub.to_string()) } else { Err(Cause::BearerScopeMissing) }
}

/// A token, and whether it is sent with a proof.
fn presented(request: &FormRequest) -> Option<(bool, &str)> {
    let field = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = field.split_once(' ')?;
    let is_dpop = scheme.eq_ignore_ascii_case("DPoP");
    (is_dpop || scheme.eq_ignore_ascii_case("Bearer")).then(|| (is_dpop, token.trim()))
}
