//! `POST /realms/REALM/revoke` (RFC 7009).

use axum::response::Response;

use super::token::json;
use super::{FormRequest, Refusal};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::client_auth::authenticate;
use crate::token;

/// Ends a token of the client that asks. `token_type_hint` is not looked at.
///
/// # Errors
/// A [`Refusal`].
pub async fn revoke(authority: &Authority, request: &FormRequest) -> Result<Response, Refusal> {
    let client = authenticate(authority, request).await?.client;
    request.known.is(&client.id);
    let ended = async {
        let token = request.form.demand("token")?;
        token::revoke(authority, request, &client, token).await
    };
    ended.await.map_err(|cause: Cause| Refusal::of_request(cause))?;
    Ok(json("{}"))
}
