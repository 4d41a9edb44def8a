//! The admin listener: how the gateway fares, for operators and for what watches it; and what is to be forgotten.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use keyward::{IntrospectionStatus, IssuerStatus};
use serde::Serialize;

use crate::authorize::Authorizer;
use crate::forget::{self, Named};
use crate::recorder::{self, Asked};

/// Answers operators.
#[derive(Debug)]
pub(crate) struct Admin {
    authorizer: Arc<Authorizer>,
    /// Whether each issuer's keys were asked for, once.
    started: AtomicBool,
    draining: AtomicBool,
}

#[derive(Serialize)]
struct Forgotten {
    forgotten: usize,
}

#[derive(Serialize)]
struct Refused {
    error: String,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    issuers: Vec<IssuerReadiness>,
}

#[derive(Serialize)]
struct IssuerReadiness {
    name: String,
    state: &'static str,
    source: Option<&'static str>,
    usable: bool,
    failures: u32,
    usable_for_seconds: Option<u64>,
    introspection: Option<IntrospectionReadiness>,
}

#[derive(Serialize)]
struct IntrospectionReadiness {
    breaker: &'static str,
    credential: &'static str,
    failing: Option<&'static str>,
}

impl Admin {
    pub(crate) fn new(authorizer: Arc<Authorizer>) -> Self {
        Self { authorizer, started: AtomicBool::new(false), draining: AtomicBool::new(false) }
    }

    /// From now on `/readyz` says no, so that nobody sends new requests here.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if request.uri().path() == forget::PATH {
            return self.forget(request).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return not_allowed("only GET is answered here\n", "GET, HEAD");
        }
        let live = self.authorizer.live.load();
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(&live.verifier.status()),
            "/metrics" => {
                let mut answer = Response::new(Full::from(self.authorizer.metrics().encode(&live.verifier)));
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                answer
            }
            "/debug/jwks-cache" => json(StatusCode::OK, &live.verifier.status()),
            recorder::PATH => self.recording(request.uri().query()),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz, /metrics, /debug/jwks-cache, /debug/recorder and /cache/forget\n",
            ),
        }
    }

    async fn forget<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        if request.method() != Method::POST {
            return not_allowed("only POST is answered here\n", "POST");
        }
        match Named::read(request).await {
            Ok(named) => {
                let forgotten = named.forget(&self.authorizer.live.load().verifier);
                self.authorizer.forgot(named.len(), forgotten);
                json(StatusCode::OK, &Forgotten { forgotten })
            }
            Err(error) => json(error.status(), &Refused { error: error.to_string() }),
        }
    }

    fn recording(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        match Asked::parse(query) {
            Ok(Asked { since, recent }) => {
                json(StatusCode::OK, &self.authorizer.observers.recorder.recording(since, recent))
            }
            Err(error) => json(StatusCode::BAD_REQUEST, &Refused { error: error.to_string() }),
        }
    }

    /// Ready once each issuer's keys were asked for and somebody's tokens can be decided. An issuer that is
    /// down makes the gateway degraded; it does not take the others' traffic away. Neither does one that a
    /// reload added and that was not asked yet.
    fn readiness(&self, issuers: &[IssuerStatus]) -> Response<Full<Bytes>> {
        if issuers.iter().all(|issuer| issuer.usable || issuer.failures > 0 || has_keys(issuer)) {
            self.started.store(true, Ordering::Release);
        }
        let started = self.started.load(Ordering::Acquire);
        let any_usable = issuers.iter().any(|issuer| issuer.usable);
        let any_keys = issuers.iter().any(has_keys);
        let all_well = issuers.iter().all(is_well);
        let draining = self.draining.load(Ordering::Acquire);
        let (code, status) = match (draining, started, any_usable, all_well) {
            (true, ..) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            (_, false, ..) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
            (_, _, false, _) if any_keys => (StatusCode::SERVICE_UNAVAILABLE, "no_introspection"),
            (_, _, false, _) => (StatusCode::SERVICE_UNAVAILABLE, "no_keys"),
            (.., false) => (StatusCode::OK, "degraded"),
            (.., true) => (StatusCode::OK, "ready"),
        };
        let issuers = issuers
            .iter()
            .map(|issuer| IssuerReadiness {
                name: issuer.name.clone(),
                state: issuer.state,
                source: issuer.source,
                usable: issuer.usable,
                failures: issuer.failures,
                usable_for_seconds: issuer.usable_for_seconds,
                introspection: issuer.introspection.as_ref().map(|introspection| IntrospectionReadiness {
                    breaker: introspection.breaker,
                    credential: introspection.credential.state,
                    failing: introspection.failing,
                }),
            })
            .collect();
        json(code, &Readiness { status, issuers })
    }
}

/// Whether there are keys, or none are fetched.
fn has_keys(issuer: &IssuerStatus) -> bool {
    matches!(issuer.state, "fixed" | "fresh" | "stale")
}

/// Whether nothing has to be mended: a fallback is no way to live.
fn is_well(issuer: &IssuerStatus) -> bool {
    let introspects = |introspection: &IntrospectionStatus| {
        introspection.breaker == "closed" && matches!(introspection.credential.state, "obtaining" | "usable")
    };
    issuer.usable
        && matches!(issuer.state, "fixed" | "fresh")
        && issuer.introspection.as_ref().is_none_or(introspects)
}

fn not_allowed(why: &'static str, allowed: &'static str) -> Response<Full<Bytes>> {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, why);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(serde_json::to_string_pretty(body).unwrap_or_default()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
