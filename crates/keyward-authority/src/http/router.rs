//! The routes, and what every request goes through: its body within limits, who sends it, its realm, and the count.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use keyward::MonoTime;
use serde::Serialize;
use tracing::{Instrument as _, Span};

use super::peer::Connection;
use super::{Abilities, BODY_LIMIT, Form, FormRequest, Peer, Refusal};
use crate::admin;
use crate::authority::Authority;
use crate::cause::Cause;
use crate::config::Proxies;
use crate::entity::Realm;
use crate::metrics::Metrics;
use crate::observer::{Endpoint, Observer as _};
use crate::refusal_log::RefusalLog;
use crate::tls::ListenerTls;

/// The longest body that operators send, in octets.
const ADMIN_BODY_LIMIT: usize = 256 * 1024;

/// The longest name of a realm that is looked for, in octets.
const REALM_LIMIT: usize = 128;

const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The name of a realm in a path, where it is text.
type Named = Result<Path<String>, PathRejection>;

/// What requests are answered with.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    pub(crate) authority: Authority,
    pub(crate) abilities: Arc<Abilities>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) refusals: Arc<RefusalLog>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) body_timeout: Duration,
}

/// An error that is none of OAuth's.
#[derive(Serialize)]
struct Error {
    error: &'static str,
    error_description: &'static str,
}

/// All routes. Each request has to carry a [`Connection`].
pub(crate) fn router(endpoints: Endpoints) -> Router {
    let administration = admin::router(endpoints.authority.clone());
    Router::new()
        .route("/realms/{realm}/token", post(token))
        .route("/realms/{realm}/introspect", post(introspect))
        .route("/realms/{realm}/revoke", post(revoke))
        .route("/realms/{realm}/jwks", get(jwks))
        .route("/realms/{realm}/.well-known/openid-configuration", get(discovery))
        .route("/realms/{realm}/.well-known/oauth-authorization-server", get(discovery))
        .route("/.well-known/oauth-authorization-server/realms/{realm}", get(discovery))
        .fallback(async || error(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address takes another method")
        })
        .with_state(endpoints.clone())
        .nest(admin::PATH, administration)
        .layer(middleware::from_fn_with_state(endpoints, bounded))
}

async fn token(State(endpoints): State<Endpoints>, named: Named, request: Request) -> Response {
    let endpoint = Endpoint::Token;
    let decided = async {
        match endpoints.form(endpoint, "token", named, request).await {
            Ok(request) => {
                let outcome = super::token(&endpoints.authority, &request).await;
                endpoints.answer_form(endpoint, &request, outcome)
            }
            Err(answer) => answer,
        }
    };
    decided.instrument(span(endpoint)).await
}

async fn introspect(State(endpoints): State<Endpoints>, named: Named, request: Request) -> Response {
    let endpoint = Endpoint::Introspect;
    let decided = async {
        match endpoints.form(endpoint, "introspect", named, request).await {
            Ok(request) => {
                let outcome = super::introspect(&endpoints.authority, &request).await;
                endpoints.answer_form(endpoint, &request, outcome)
            }
            Err(answer) => answer,
        }
    };
    decided.instrument(span(endpoint)).await
}

async fn revoke(State(endpoints): State<Endpoints>, named: Named, request: Request) -> Response {
    let endpoint = Endpoint::Revoke;
    let decided = async {
        match endpoints.form(endpoint, "revoke", named, request).await {
            Ok(request) => {
                let outcome = super::revoke(&endpoints.authority, &request).await;
                endpoints.answer_form(endpoint, &request, outcome)
            }
            Err(answer) => answer,
        }
    };
    decided.instrument(span(endpoint)).await
}

/// What log lines of a request are in. The client is said once it is known who that is.
fn span(endpoint: Endpoint) -> Span {
    tracing::info_span!("request", endpoint = endpoint.label(), client = tracing::field::Empty)
}

async fn jwks(State(endpoints): State<Endpoints>, named: Named, headers: HeaderMap) -> Response {
    let endpoint = Endpoint::Jwks;
    match endpoints.realm(endpoint, named).await {
        Ok(realm) => {
            let outcome = super::jwks(&endpoints.authority, &realm, &headers).await;
            endpoints.answer(endpoint, &realm.name, outcome)
        }
        Err(answer) => answer,
    }
}

async fn discovery(State(endpoints): State<Endpoints>, named: Named, headers: HeaderMap) -> Response {
    let endpoint = Endpoint::Discovery;
    match endpoints.realm(endpoint, named).await {
        Ok(realm) => {
            let Endpoints { authority, abilities, .. } = &endpoints;
            let outcome = super::discovery(authority, abilities, &realm, &headers).await;
            endpoints.answer(endpoint, &realm.name, outcome)
        }
        Err(answer) => answer,
    }
}

/// Reads the body, finds out who sends it, has it answered, and counts.
async fn bounded(State(endpoints): State<Endpoints>, request: Request, next: Next) -> Response {
    let arrived = endpoints.authority.clock().now();
    let endpoint = of_path(request.uri().path());
    let (mut head, body) = request.into_parts();
    let limit = if endpoint == Endpoint::Admin { ADMIN_BODY_LIMIT } else { BODY_LIMIT };
    let read = tokio::time::timeout(endpoints.body_timeout, Limited::new(body, limit).collect()).await;
    let answer = match read {
        Err(_) => cut(error(StatusCode::REQUEST_TIMEOUT, "invalid_request", "the request took too long")),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => {
            endpoints.refused("", endpoint, Cause::BodyTooLarge, arrived.mono);
            let mut answer = Refusal::of_request(Cause::BodyTooLarge).into_response();
            *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            cut(answer)
        }
        Ok(Err(_)) => cut(error(StatusCode::BAD_REQUEST, "invalid_request", "the request ended too soon")),
        Ok(Ok(body)) => {
            // Whoever has no connection is a test, and nobody.
            let connection = head.extensions.remove::<Connection>();
            let Some(connection) = connection else {
                return error(StatusCode::BAD_REQUEST, "invalid_request", "nobody sent this");
            };
            let tls = endpoints.tls.as_ref();
            let peer = connection.peer(&head.headers, &endpoints.proxies, tls, arrived.wall.0);
            head.extensions.insert(peer);
            next.run(Request::from_parts(head, Body::from(body.to_bytes()))).await
        }
    };
    let took = endpoints.authority.clock().mono().saturating_since(arrived.mono);
    endpoints.metrics.answered(endpoint, answer.status().as_u16(), took);
    answer
}

impl Endpoints {
    /// The form that was sent to `name`, an endpoint of a realm; or what is answered at once.
    async fn form(
        &self,
        endpoint: Endpoint,
        name: &str,
        realm: Named,
        request: Request,
    ) -> Result<FormRequest, Response> {
        let arrived = self.authority.clock().now();
        let realm = self.realm(endpoint, realm).await?;
        let (mut head, body) = request.into_parts();
        let refuse = |cause| self.answer(endpoint, &realm.name, Err(Refusal::of_request(cause)));
        // It was read before, within its limit.
        let body = body.collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        let form = Form::parse(&head.headers, &body).map_err(refuse)?;
        let Some(peer) = head.extensions.remove::<Peer>() else {
            return Err(refuse(Cause::FormMalformed));
        };
        let issuer = self.authority.issuer(&realm.name);
        let endpoint = format!("{issuer}/{name}");
        Ok(FormRequest { realm, issuer, endpoint, form, headers: head.headers, peer, arrived })
    }

    /// The realm of this name; or what is answered where there is none.
    async fn realm(&self, endpoint: Endpoint, named: Named) -> Result<Arc<Realm>, Response> {
        let unknown = || error(StatusCode::NOT_FOUND, "not_found", "there is no such realm");
        let Ok(Path(name)) = named else {
            return Err(unknown());
        };
        if name.len() > REALM_LIMIT {
            return Err(unknown());
        }
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
            self.refused(realm, endpoint, refusal.cause, self.authority.clock().mono());
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
        let wants_nonce = outcome.as_ref().is_err_and(|refusal| refusal.cause == Cause::DpopNonceWanted);
        let mut answer = self.answer(endpoint, &request.realm.name, outcome);
        let nonce = if wants_nonce { self.authority.tokens().dpop_nonce(request.arrived) } else { None };
        if let Some(Ok(nonce)) = nonce.map(|nonce| HeaderValue::from_str(&nonce)) {
            answer.headers_mut().insert(DPOP_NONCE, nonce);
        }
        answer
    }

    fn refused(&self, realm: &str, endpoint: Endpoint, cause: Cause, now: MonoTime) {
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
                cause = cause.label(),
                left_out,
                "a request was refused"
            ),
            None => self.metrics.line_left_out(event),
        }
    }
}

/// Which endpoint a path is of, for what is counted before a route is found.
fn of_path(path: &str) -> Endpoint {
    let mut segments = path.split('/').skip(1);
    match (segments.next(), segments.next(), segments.next(), segments.next()) {
        (Some("admin"), Some("v1"), ..) => Endpoint::Admin,
        (Some("realms"), Some(_), Some("introspect"), None) => Endpoint::Introspect,
        (Some("realms"), Some(_), Some("jwks"), None) => Endpoint::Jwks,
        (Some("realms"), Some(_), Some("revoke"), None) => Endpoint::Revoke,
        (Some("realms"), Some(_), Some("token"), None) => Endpoint::Token,
        (Some("realms"), Some(_), Some(".well-known"), _) | (Some(".well-known"), ..) => Endpoint::Discovery,
        _ => Endpoint::Nothing,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_an_endpoint_or_of_nothing() {
        for (path, endpoint) in [
            ("/realms/main/token", Endpoint::Token),
            ("/realms/main/introspect", Endpoint::Introspect),
            ("/realms/main/revoke", Endpoint::Revoke),
            ("/realms/main/jwks", Endpoint::Jwks),
            ("/realms/main/.well-known/openid-configuration", Endpoint::Discovery),
            ("/.well-known/oauth-authorization-server/realms/main", Endpoint::Discovery),
            ("/admin/v1/realms", Endpoint::Admin),
            ("/realms/main/token/more", Endpoint::Nothing),
            ("/realms/main", Endpoint::Nothing),
            ("/admin", Endpoint::Nothing),
            ("*", Endpoint::Nothing),
        ] {
            assert_eq!(of_path(path), endpoint, "{path}");
        }
    }
}
