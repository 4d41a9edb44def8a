//! `POST /realms/REALM/token` (RFC 6749 §3.2).

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::{FormRequest, Refusal};
use crate::authority::Authority;
use crate::cause::Cause;
use crate::token::{Granted, granted};
use crate::wiped::Wiped;

/// What a client gets that asks for a token.
///
/// # Errors
/// A [`Refusal`].
pub async fn token(authority: &Authority, request: &FormRequest) -> Result<Response, Refusal> {
    let granted = granted(authority, request).await?;
    let mut answer =
        json(Bytes::from_owner(body(&granted).map_err(|_| Refusal::of_request(Cause::Unavailable))?));
    // RFC 9449 §8.2: the next proof can hold it without being refused first.
    if let Some(nonce) = authority.tokens().dpop_nonce(request.arrived)
        && let Ok(nonce) = HeaderValue::from_str(&nonce)
    {
        answer.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
    }
    Ok(answer)
}

/// What goes with an access token (RFC 6749 §5.1).
#[derive(Serialize)]
struct Beside<'a> {
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
}

/// Wiped when it is sent.
fn body(granted: &Granted) -> serde_json::Result<Wiped<Vec<u8>>> {
    let beside = Beside {
        token_type: granted.token_type,
        expires_in: granted.expires_in,
        scope: &granted.scope,
        refresh_token: granted.refresh_token.as_deref().map(String::as_str),
        issued_token_type: granted.issued_token_type,
    };
    // As long as it gets: a text that grew would leave a copy behind.
    let octets = 512 + granted.access_token.len() + 6 * granted.scope.len();
    let mut body = Wiped::new(Vec::with_capacity(octets));
    // A token is of characters that JSON takes as they are (RFC 7515 §3.1), and is most of the answer.
    body.extend_from_slice(br#"{"access_token":""#);
    body.extend_from_slice(granted.access_token.as_bytes());
    body.push(b'"');
    let end = body.len();
    serde_json::to_writer(&mut *body, &beside)?;
    // The object that is open goes on with the members of the second one.
    if let Some(brace) = body.get_mut(end) {
        *brace = b',';
    }
    Ok(body)
}

/// JSON that nobody else may keep.
pub(super) fn json(body: impl Into<Bytes>) -> Response {
    let mut answer = Response::new(Body::from(body.into()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}
