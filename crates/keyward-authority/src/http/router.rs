//! What every request goes through: its body within limits, its route, who sends it, its realm, and the count.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body as AnyBody;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use keyward::{MonoTime, Now};
use serde::Serialize;
use tower_service::Service as _;

use super::route::{Route, counted_for};
use super::{BODY_LIMIT, Connection, Form, FormRequest, KnownName, Peer, Refusal};
use crate::admin;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::entity::Realm;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::observer::{Endpoint, Observer as _};
use crate::refusal_log::RefusalLog;

/// The longest body that operators send, in octets.
const ADMIN_BODY_LIMIT: usize = 256 * 1024;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What requests are answered with.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) authority: Authority,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) body_timeout: Duration,
}

/// An error that is none of OAuth's.
#[derive(Serialize)]
struct Error {
    error: &'static str,
    error_description: &'static str,
}

/// What was sent to an endpoint of a realm.
struct Sent<'a> {
    headers: HeaderMap,
    body: Bytes,
    connection: &'a Connection,
    arrived: Now,
}

/// Answers requests: those to endpoints of realms by itself, those of operators by the administration's routes.
#[derive(Clone, Debug)]
pub(crate) struct Answering {
    endpoints: Endpoints,
    administration: Router,
}

impl Answering {
    pub(crate) fn new(endpoints: Endpoints) -> Self {
        let administration = Router::new()
            .nest(admin::PATH, admin::router(endpoints.authority.clone()))
            .fallback(async || error(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address"));
        Self { endpoints, administration }
    }

    /// Reads the body, has it answered, and counts.
    pub(crate) async fn answer<B>(&self, request: Request<B>, connection: &Connection) -> Response
    where
        B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send,
    {
        let Endpoints { authority, metrics, .. } = &self.endpoints;
        let arrived = authority.clock().now();
        let (mut head, body) = request.into_parts();
        let endpoint = counted_for(head.uri.path());
        let answer = match self.endpoints.read(endpoint, body, arrived).await {
            Ok(body) => match Route::of(head.uri.path()) {
                Some(route) if route.allows(&head.method) => {
                    let sent = Sent { headers: std::mem::take(&mut head.headers), body, connection, arrived };
                    self.endpoints.decide(route, sent).await
                }
                Some(route) => not_allowed(route),
                None => self.administer(head, body, connection, arrived).await,
            },
            Err(answer) => answer,
        };
        let took = authority.clock().mono().saturating_since(arrived.mono);
        metrics.answered(endpoint, answer.status().as_u16(), took);
        answer
    }

    async fn administer(
        &self,
        mut head: Parts,
        body: Bytes,
        connection: &Connection,
        arrived: Now,
    ) -> Response {
        match self.endpoints.peer(&head.headers, connection, arrived) {
            Ok(peer) => head.extensions.insert(peer),
            Err(cause) => return self.endpoints.answer(Endpoint::Admin, "", Err(Refusal::of_request(cause))),
        };
        // A router is always ready, and never fails.
        let answered = self.administration.clone().call(Request::from_parts(head, AnyBody::from(body))).await;
        answered.unwrap_or_else(|never| match never {})
    }
}

impl Endpoints {
    /// The whole body; or what is answered to whoever sends none that can be taken.
    async fn read<B>(&self, endpoint: Endpoint, body: B, arrived: Now) -> Result<Bytes, Response>
    where
        B: Body<Data: Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send,
    {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = if endpoint == Endpoint::Admin { ADMIN_BODY_LIMIT } else { BODY_LIMIT };
        match tokio::time::timeout(self.body_timeout, Limited::new(body, limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(cause)) if cause.is::<LengthLimitError>() => {
                self.refused("", endpoint, None, Cause::BodyTooLarge, arrived.mono);
                let mut answer = Refusal::of_request(Cause::BodyTooLarge).into_response();
                *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                Err(cut(answer))
            }
            Ok(Err(_)) => {
                Err(cut(error(StatusCode::BAD_REQUEST, "invalid_request", "the request ended too soon")))
            }
            Err(_) => {
                Err(cut(error(StatusCode::REQUEST_TIMEOUT, "invalid_request", "the request took too long")))
            }
        }
    }

    /// What an endpoint of a realm answers.
    async fn decide(&self, route: Route<'_>, sent: Sent<'_>) -> Response {
        let (authority, endpoint) = (&self.authority, route.endpoint);
        let realm = match self.realm(endpoint, route.realm()).await {
            Ok(realm) => realm,
            Err(answer) => return answer,
        };
        let outcome = match endpoint {
            Endpoint::Discovery => {
                let abilities = &self.live.load_full().abilities;
                super::discovery(authority, abilities, &realm, &sent.headers).await
            }
            Endpoint::Jwks => super::jwks(authority, &realm, &sent.headers).await,
            _ => return self.decide_on_form(route, realm, sent).await,
        };
        self.answer(endpoint, &realm.name, outcome)
    }

    async fn decide_on_form(&self, route: Route<'_>, realm: Arc<Realm>, sent: Sent<'_>) -> Response {
        let (authority, endpoint) = (&self.authority, route.endpoint);
        let request = match self.form(route, realm, sent) {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        let outcome = match endpoint {
            Endpoint::Introspect => super::introspect(authority, &request).await,
            Endpoint::Revoke => super::revoke(authority, &request).await,
            _ => super::token(authority, &request).await,
        };
        self.answer_form(endpoint, &request, outcome)
    }

    /// The form that was sent; or what is answered at once.
    fn form(&self, route: Route<'_>, realm: Arc<Realm>, sent: Sent<'_>) -> Result<FormRequest, Response> {
        let Sent { headers, body, connection, arrived } = sent;
        let refuse = |cause| self.answer(route.endpoint, &realm.name, Err(Refusal::of_request(cause)));
        let form = Form::parse(&headers, &body).map_err(refuse)?;
        let peer = self.peer(&headers, connection, arrived).map_err(refuse)?;
        let issuer = self.authority.issuer(&realm.name);
        let name = route.name();
        Ok(FormRequest { realm, issuer, name, form, headers, peer, arrived, known: KnownName::default() })
    }

    fn peer(&self, headers: &HeaderMap, connection: &Connection, arrived: Now) -> Result<Peer, Cause> {
        connection.peer(headers, &self.live.load(), arrived.wall.0)
    }

    /// The realm of this name; or what is answered where there is none.
    async fn realm(&self, endpoint: Endpoint, named: Option<Cow<'_, str>>) -> Result<Arc<Realm>, Response> {
        let unknown = || error(StatusCode::NOT_FOUND, "not_found", "there is no such realm");
        let Some(name) = named else {
            return Err(unknown());
        };
        match self.authority.realm(&name).await {
            Ok(Some(realm)) => Ok(realm),
            Ok(None) => Err(unknown()),
            // Whether there is one is not known, so its name is a stranger's word.
            Err(failure) => Err(self.answer(endpoint, "", Err(Refusal::of_request(failure.into())))),
        }
    }

    /// What came of a request, for its sender and for us.
    fn answer(&self, endpoint: Endpoint, realm: &str, outcome: Result<Response, Refusal>) -> Response {
        outcome.unwrap_or_else(|refusal| {
            self.refused(realm, endpoint, None, refusal.cause, self.authority.clock().mono());
            refusal.into_response()
        })
    }

    /// The same of a form: whoever lacks a nonce is handed one (RFC 9449 §8).
    fn answer_form(
        &self,
        endpoint: Endpoint,
        request: &FormRequest,
        outcome: Result<Response, Refusal>,
    ) -> Response {
        outcome.unwrap_or_else(|refusal| {
            let (realm, now) = (request.realm.name.as_str(), self.authority.clock().mono());
            self.refused(realm, endpoint, request.known.name(), refusal.cause, now);
            let mut answer = refusal.into_response();
            let wants_nonce = refusal.cause == Cause::DpopNonceWanted;
            let nonce = if wants_nonce { self.authority.tokens().dpop_nonce(request.arrived) } else { None };
            if let Some(Ok(nonce)) = nonce.map(|nonce| HeaderValue::from_str(&nonce)) {
                answer.headers_mut().insert(DPOP_NONCE, nonce);
            }
            answer
        })
    }

    fn refused(&self, realm: &str, endpoint: Endpoint, client: Option<&str>, cause: Cause, now: MonoTime) {
        self.metrics.refused(realm, endpoint, cause);
        let event = match endpoint {
            Endpoint::Introspect => "introspection_refused",
            Endpoint::Revoke => "revocation_refused",
            Endpoint::Token => "token_refused",
            _ => "request_refused",
        };
        match self.refusals.admit(cause, now) {
            Some(left_out) => tracing::info!(
                event,
                realm,
                endpoint = endpoint.label(),
                client,
                cause = cause.label(),
                left_out,
                "a request was refused"
            ),
            None => self.metrics.line_left_out(event),
        }
    }
}

fn error(status: StatusCode, error: &'static str, error_description: &'static str) -> Response {
    let body = serde_json::to_string(&Error { error, error_description }).unwrap_or_default();
    let mut answer = (status, body).into_response();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The connection ends with this answer: the rest of the body is not read.
fn cut(mut answer: Response) -> Response {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// RFC 9110 §15.5.6.
fn not_allowed(route: Route<'_>) -> Response {
    let mut answer =
        error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address takes another method");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(route.allowed()));
    answer
}
