//! What a client is told that gets nothing.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::cause::{Cause, OAuthError};
use crate::entity::GrantType;

/// A refusal: for the client an error of RFC 6749 §5.2, for us its cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// What the client is told.
    pub error: OAuthError,
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    error_description: &'static str,
}

impl Refusal {
    /// Found out while the client authenticated itself.
    pub const fn of_authentication(cause: Cause) -> Self {
        Self { cause, error: cause.of_authentication() }
    }

    /// Found out of what it asked for, or by.
    pub const fn of_request(cause: Cause) -> Self {
        Self { cause, error: cause.of_request() }
    }

    /// Found out of what it asked for by this grant. A token that cannot be exchanged is an invalid request (RFC 8693 §2.2.2).
    pub const fn of_grant(grant: GrantType, cause: Cause) -> Self {
        let error = match (grant, cause.of_request()) {
            (GrantType::TokenExchange, OAuthError::InvalidGrant) => OAuthError::InvalidRequest,
            (_, error) => error,
        };
        Self { cause, error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Body { error: self.error.code(), error_description: self.cause.description() };
        let status = StatusCode::from_u16(self.error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = (status, serde_json::to_string(&body).unwrap_or_default()).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        let challenge = match self.error {
            OAuthError::InvalidClient => Some("Basic realm=\"keyward\""),
            OAuthError::InvalidToken => Some("Bearer error=\"invalid_token\""),
            OAuthError::InsufficientScope => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let wait = match self.error {
            OAuthError::SlowDown => Some("10"),
            OAuthError::TemporarilyUnavailable => Some("1"),
            _ => None,
        };
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(wait));
        }
        answer
    }
}
