//! What an administrator is told whose request was not done (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cause::Cause;
use crate::operations::OperationError;

/// A problem: what sort it is, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Problem {
    kind: ProblemKind,
    detail: String,
    /// The member that it is about.
    member: Option<&'static str>,
}

/// The sorts of problems. Their labels are the ends of their `type`s.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ProblemKind {
    Conflict,
    Exists,
    Forbidden,
    InUse,
    Invalid,
    Malformed,
    MediaType,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    TooLarge,
    TokenMissing,
    TooMany,
    Unauthorized,
    Unavailable,
    VersionMissing,
}

impl ProblemKind {
    const fn label(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Exists => "exists",
            Self::Forbidden => "forbidden",
            Self::InUse => "in_use",
            Self::Invalid => "invalid",
            Self::Malformed => "malformed",
            Self::MediaType => "media_type",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::TokenMissing | Self::Unauthorized => "unauthorized",
            Self::Unavailable => "unavailable",
            Self::VersionMissing => "version_missing",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Conflict => StatusCode::PRECONDITION_FAILED,
            Self::Exists | Self::InUse | Self::TooMany => StatusCode::CONFLICT,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TokenMissing | Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::VersionMissing => StatusCode::PRECONDITION_REQUIRED,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Conflict => "It was changed meanwhile",
            Self::Exists => "There is one of that name",
            Self::Forbidden => "The token's scope is not enough",
            Self::InUse => "Something depends on it",
            Self::Invalid => "It cannot be so",
            Self::Malformed => "The request cannot be read",
            Self::MediaType => "The body is no JSON",
            Self::MethodNotAllowed => "That cannot be done to it",
            Self::NotFound => "There is none such",
            Self::RateLimited => "Too many tokens were not accepted",
            Self::TooLarge => "The request is too large",
            Self::TooMany => "There are as many as there may be",
            Self::TokenMissing | Self::Unauthorized => "The token is not accepted",
            Self::Unavailable => "It cannot be done just now",
            Self::VersionMissing => "Say which version you change",
        }
    }
}

/// A problem, as it is on the wire (RFC 9457 §3.1).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// `urn:keyward:problem:` and what sort it is.
    r#type: String,
    /// The same for people.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong this time, and what to do.
    detail: String,
    /// The member of the body that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), member: None }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, detail)
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let kind = match &error {
            OperationError::Conflict { .. } | OperationError::Outdated { .. } => ProblemKind::Conflict,
            OperationError::Exists { .. } => ProblemKind::Exists,
            OperationError::InUse { .. } => ProblemKind::InUse,
            OperationError::Invalid { .. } => ProblemKind::Invalid,
            OperationError::NotFound { .. } => ProblemKind::NotFound,
            OperationError::TooMany { .. } => ProblemKind::TooMany,
            OperationError::KeyUnavailable { .. }
            | OperationError::Unavailable(_)
            | OperationError::Unreadable(_) => {
                // What a database says of itself is for our log.
                tracing::warn!(event = "operation_unavailable", "an operation was not done: {error}");
                let detail = "the storage or the key store fails; read again before you repeat this";
                return Self::new(ProblemKind::Unavailable, detail);
            }
        };
        let member = if let OperationError::Invalid { what, .. } = &error { Some(*what) } else { None };
        Self { kind, detail: error.to_string(), member }
    }
}

impl From<Cause> for Problem {
    /// What keeps the administration from knowing who asks.
    fn from(_: Cause) -> Self {
        Self::new(ProblemKind::Unavailable, "the token cannot be checked just now")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, member } = self;
        let status = kind.status();
        let body = ProblemBody {
            r#type: format!("urn:keyward:problem:{}", kind.label()),
            title: kind.title(),
            status: status.as_u16(),
            detail,
            member,
        };
        let mut answer = (status, serde_json::to_string(&body).unwrap_or_default()).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let challenge = match kind {
            ProblemKind::Forbidden => Some("Bearer error=\"insufficient_scope\""),
            // RFC 6750 §3.1: who sends no token is told no error.
            ProblemKind::TokenMissing => Some("Bearer"),
            ProblemKind::Unauthorized => Some("Bearer error=\"invalid_token\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let wait = match kind {
            ProblemKind::RateLimited => Some("10"),
            ProblemKind::Unavailable => Some("1"),
            _ => None,
        };
        if let Some(wait) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(wait));
        }
        answer
    }
}
