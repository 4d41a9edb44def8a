//! The right answer of each endpoint, before anything goes wrong with it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::addresses::{INTROSPECTION_PATH, JWKS_PATH, TOKEN_PATH};
use crate::body::{Cut, LabBody};
use crate::client::{Client, Form};
use crate::clock::{http_date, seconds};
use crate::fault::Endpoint;
use crate::issuer::Issuer;
use crate::replay::Replayed;

/// A form of the token or the introspection endpoint: a token of a drill may have a megabyte.
const FORM_LIMIT: usize = 4 << 20;

/// An answer whose body is all there.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What the endpoint says when nothing is wrong with it.
///
/// # Errors
/// [`Cut`] where it is a replay of a provider that did not answer.
pub(crate) async fn right(
    issuer: &Arc<Issuer>,
    endpoint: Endpoint,
    request: Request<Incoming>,
) -> Result<Answer, Cut> {
    let (method, wanted) = match (endpoint, request.uri().path()) {
        (
            Endpoint::Discovery,
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server",
        )
        | (Endpoint::Jwks, JWKS_PATH) => (Method::GET, endpoint),
        (Endpoint::Token, TOKEN_PATH) | (Endpoint::Introspection, INTROSPECTION_PATH) => {
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
        Endpoint::Jwks => jwk_set(issuer),
        Endpoint::Introspection => with_form(issuer, request, introspection).await,
        Endpoint::Token => with_form(issuer, request, token).await,
    })
}

fn jwk_set(issuer: &Issuer) -> Answer {
    let (set, lag) = issuer.jwk_set();
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

/// Answers a client that has authenticated itself.
async fn with_form(
    issuer: &Arc<Issuer>,
    request: Request<Incoming>,
    answer: fn(&Issuer, &Client, &Form) -> Answer,
) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, FORM_LIMIT).collect().await else {
        return Answer::error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let form = Form::parse(&body.to_bytes());
    let mut answer = match Client::authenticated(&head.headers, &form) {
        Some(client) => answer(issuer, &client, &form),
        None => {
            let mut answer = Answer::error(StatusCode::UNAUTHORIZED, "invalid_client");
            answer.set(WWW_AUTHENTICATE, "Basic realm=\"lab\"");
            answer
        }
    };
    answer.set(CACHE_CONTROL, "no-store");
    answer
}

/// RFC 6749 §4.4.
fn token(issuer: &Issuer, client: &Client, form: &Form) -> Answer {
    match form.field("grant_type") {
        Some("client_credentials") => {}
        Some(_) => return Answer::error(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        None => return Answer::error(StatusCode::BAD_REQUEST, "invalid_request"),
    }
    let opaque = form.field("resource") == Some("opaque");
    match issuer.grant(client, form.field("scope"), opaque) {
        Ok(granted) => Answer::json(&granted),
        Err(_) => Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

/// RFC 7662 §2.
fn introspection(issuer: &Issuer, _: &Client, form: &Form) -> Answer {
    match form.field("token") {
        Some(token) => Answer::json(&issuer.introspect(token)),
        None => Answer::error(StatusCode::BAD_REQUEST, "invalid_request"),
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

    fn json(value: &Value) -> Self {
        Self::of("application/json", value.to_string())
    }

    fn error(status: StatusCode, error: &str) -> Self {
        Self { status, ..Self::json(&json!({ "error": error })) }
    }

    /// Sets a header, unless nothing can be the value of one.
    fn set(&mut self, name: HeaderName, value: &str) {
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
