//! The right answer of each endpoint, before anything goes wrong with it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::addresses::{INTROSPECTION_PATH, JWKS_PATH, REVOCATION_PATH, TOKEN_PATH};
use crate::body::{Cut, LabBody};
use crate::client::authenticated;
use crate::clock::{http_date, seconds};
use crate::fault::{Endpoint, Fault};
use crate::form::{Asked, Form};
use crate::issuer::Issuer;
use crate::replay::Replayed;
use crate::visitor::Visitor;
use crate::{grant, introspection};

/// A form of the token or the introspection endpoint: a token of a drill may have a megabyte.
const FORM_LIMIT: usize = 4 << 20;

/// An answer whose body is all there.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the endpoint says when nothing is wrong with it, or nothing but what introspection says of a token.
///
/// # Errors
/// [`Cut`] where it is a replay of a provider that did not answer.
pub(crate) async fn right(
    issuer: &Arc<Issuer>,
    endpoint: Endpoint,
    fault: Option<&Fault>,
    request: Request<Incoming>,
) -> Result<Answer, Cut> {
    let (method, wanted) = match (endpoint, request.uri().path()) {
        (
            Endpoint::Discovery,
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server",
        )
        | (Endpoint::Jwks, JWKS_PATH) => (Method::GET, endpoint),
        (Endpoint::Token, TOKEN_PATH | REVOCATION_PATH) | (Endpoint::Introspection, INTROSPECTION_PATH) => {
            (Method::POST, endpoint)
        }
        _ => return Ok(Answer::error(StatusCode::NOT_FOUND, "not_found")),
    };
    if request.method() != method && !(method == Method::GET && request.method() == Method::HEAD) {
        let mut answer = Answer::error(StatusCode::METHOD_NOT_ALLOWED, "invalid_request");
        answer.set(ALLOW, method.as_str());
        return Ok(answer);
    }
    if let Some(replayed) = issuer.replayed(wanted) {
        return replay(issuer, replayed);
    }
    Ok(match wanted {
        Endpoint::All | Endpoint::Discovery => Answer::json(&issuer.metadata()),
        Endpoint::Jwks => jwk_set(issuer, Visitor::of(request.headers())),
        Endpoint::Introspection => {
            let answer = |asked: &Asked<'_>, client: &str| introspection::answer(asked, client, fault);
            let url = &issuer.addresses.introspection_endpoint;
            with_form(issuer, url, request, |asked| authentic(asked, answer)).await
        }
        Endpoint::Token if request.uri().path() == REVOCATION_PATH => {
            let url = &issuer.addresses.revocation_endpoint;
            with_form(issuer, url, request, |asked| authentic(asked, introspection::revoke)).await
        }
        Endpoint::Token => with_form(issuer, &issuer.addresses.token_endpoint, request, grant::answer).await,
    })
}

fn jwk_set(issuer: &Issuer, visitor: Visitor) -> Answer {
    let (set, lag) = issuer.jwk_set(visitor);
    let mut answer = Answer::of("application/json", set);
    if let Some(value) = &issuer.plan.cache_control {
        answer.set(CACHE_CONTROL, value);
    }
    if let Some(lag) = lag.filter(|lag| lag.age_header) {
        // A cache keeps the date of what it has (RFC 9111 §5.1).
        let age = seconds(lag.by.0);
        answer.headers.insert(AGE, age.into());
        answer.set(DATE, &http_date(issuer.header_wall().saturating_sub(age)));
    }
    answer
}

/// Answers a form, which is never to be kept.
async fn with_form(
    issuer: &Arc<Issuer>,
    url: &str,
    request: Request<Incoming>,
    answer: impl FnOnce(&Asked<'_>) -> Answer,
) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, FORM_LIMIT).collect().await else {
        return Answer::error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let form = Form::parse(&body.to_bytes());
    let mut answer = answer(&Asked { issuer, url, headers: &head.headers, form: &form });
    answer.set(CACHE_CONTROL, "no-store");
    answer
}

/// Answers a client that has authenticated itself.
fn authentic(asked: &Asked<'_>, answer: impl FnOnce(&Asked<'_>, &str) -> Answer) -> Answer {
    match authenticated(asked) {
        Ok(client) => answer(asked, &client),
        Err(refused) => refused.answer(asked),
    }
}

fn replay(issuer: &Issuer, replayed: Replayed<'_>) -> Result<Answer, Cut> {
    let Replayed::Answer(recorded) = replayed else { return Err(Cut) };
    let mut answer = Answer::of("application/json", recorded.body_at(&issuer.addresses));
    answer.status = StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::OK);
    answer.headers.remove(CONTENT_TYPE);
    for (name, value) in &recorded.headers {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            answer.set(name, value);
        }
    }
    Ok(answer)
}

impl Answer {
    pub(crate) fn of(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status: StatusCode::OK, headers, body: body.into() }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::of("application/json", value.to_string())
    }

    pub(crate) fn error(status: StatusCode, error: &str) -> Self {
        Self::refusal(status, error, None)
    }

    /// RFC 6749 §5.2.
    pub(crate) fn refusal(status: StatusCode, error: &str, description: Option<&str>) -> Self {
        let told = match description {
            Some(description) => json!({ "error": error, "error_description": description }),
            None => json!({ "error": error }),
        };
        Self { status, ..Self::json(&told) }
    }

    /// Sets a header, unless nothing can be the value of one.
    pub(crate) fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    pub(crate) fn into_response(self, body: impl FnOnce(Bytes) -> LabBody) -> Response<LabBody> {
        let mut response = Response::new(body(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
