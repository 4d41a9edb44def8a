//! The admin listener: how the gateway fares, for operators and for what watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use keyward::IssuerStatus;
use serde::Serialize;

use crate::authorize::Authorizer;

/// Answers operators.
#[derive(Debug)]
pub(crate) struct Admin {
    authorizer: Arc<Authorizer>,
    /// Whether each issuer's keys were asked for, once.
    started: AtomicBool,
    draining: AtomicBool,
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
}

impl Admin {
    pub(crate) fn new(authorizer: Arc<Authorizer>) -> Self {
        Self { authorizer, started: AtomicBool::new(false), draining: AtomicBool::new(false) }
    }

    /// From now on `/readyz` says no, so that nobody sends new requests here.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let live = self.authorizer.live.load();
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(&live.verifier.status()),
            "/metrics" => {
                let mut answer = Response::new(Full::from(self.authorizer.metrics.encode(&live.verifier)));
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                answer
            }
            "/debug/jwks-cache" => json(StatusCode::OK, &live.verifier.status()),
            _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz, /metrics and /debug/jwks-cache\n"),
        }
    }

    /// Ready once each issuer's keys were asked for and somebody's tokens can be verified. An issuer that is
    /// down makes the gateway degraded; it does not take the others' traffic away. Neither does one that a
    /// reload added and that was not asked yet.
    fn readiness(&self, issuers: &[IssuerStatus]) -> Response<Full<Bytes>> {
        if issuers.iter().all(|issuer| issuer.usable || issuer.failures > 0) {
            self.started.store(true, Ordering::Release);
        }
        let started = self.started.load(Ordering::Acquire);
        let any_usable = issuers.iter().any(|issuer| issuer.usable);
        let all_well =
            issuers.iter().all(|issuer| issuer.usable && matches!(issuer.state, "fresh" | "fixed"));
        let draining = self.draining.load(Ordering::Acquire);
        let (code, status) = match (draining, started, any_usable, all_well) {
            (true, ..) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            (_, false, ..) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
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
            })
            .collect();
        json(code, &Readiness { status, issuers })
    }
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
