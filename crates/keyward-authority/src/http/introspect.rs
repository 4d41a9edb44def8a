//! `POST /realms/REALM/introspect` (RFC 7662), with answers that are signed where that is asked for (RFC 9701).

use axum::response::Response;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::Serialize;
use serde_json::value::RawValue;

use super::token::json;
use super::{FormRequest, Refusal};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::token::{Asker, introspected};

/// `typ` of a signed answer.
const SIGNED_TYPE: &str = "token-introspection+jwt";

const SIGNED_MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// What is said of a token. `token_type_hint` is not looked at: a token shows by itself of what kind it is.
///
/// # Errors
/// A [`Refusal`].
pub async fn introspect(authority: &Authority, request: &FormRequest) -> Result<Response, Refusal> {
    let asker = Asker::of(authority, request).await?;
    answer(authority, request, &asker).await.map_err(Refusal::of_request)
}

async fn answer(authority: &Authority, request: &FormRequest, asker: &Asker) -> Result<Response, Cause> {
    let token = request.form.demand("token")?;
    let said = introspected(authority, request, asker, token).await?;
    if !wants_signed(request) {
        return Ok(json(said));
    }
    let mut answer = json(signed(authority, request, asker, &said).await?);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SIGNED_MEDIA_TYPE));
    Ok(answer)
}

fn wants_signed(request: &FormRequest) -> bool {
    let fields = request.headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
    let mut types =
        fields.flat_map(|field| field.split(',')).map(|range| range.split(';').next().unwrap_or(""));
    types.any(|range| range.trim().eq_ignore_ascii_case(SIGNED_MEDIA_TYPE))
}

#[derive(Serialize)]
struct SignedAnswer<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    token_introspection: &'a RawValue,
}

/// For whoever asks, and since now: an old answer, played again, would undo a revocation (RFC 9701 §5).
async fn signed(
    authority: &Authority,
    request: &FormRequest,
    asker: &Asker,
    said: &[u8],
) -> Result<String, Cause> {
    let token_introspection = serde_json::from_slice(said).map_err(|_| Cause::Unavailable)?;
    let (iss, aud, iat) = (request.issuer.as_str(), asker.name.as_str(), request.arrived.wall.0);
    let claims = serde_json::to_vec(&SignedAnswer { iss, aud, iat, token_introspection });
    let claims = claims.map_err(|_| Cause::Unavailable)?;
    authority.ring_of(&request.realm).await?.sign(SIGNED_TYPE, &claims, None).await
}
