//! The admin listener: how this node fares, for operators and for what watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::authority::Authority;
use crate::entity::{Kept as _, Realm, SigningKey};
use crate::metrics::Metrics;
use crate::signing::KeyState;

/// Answers operators.
#[derive(Debug)]
pub(crate) struct Health {
    authority: Authority,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    position: i64,
    log_age_seconds: Option<f64>,
}

/// Realms that are read at once.
const PAGE: u32 = 500;

/// How many keys of a realm there are in each state.
#[derive(Debug, Default)]
struct KeyCounts {
    active: i64,
    passive: i64,
    published: i64,
}

impl Health {
    pub(crate) fn new(authority: Authority, metrics: Arc<Metrics>) -> Self {
        Self { authority, metrics, draining: AtomicBool::new(false) }
    }

    /// From now on `/readyz` says no, so that nobody sends new requests here.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readiness))
            .route("/metrics", get(metrics))
            .fallback(async || (StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"))
            .with_state(self)
    }

    /// Ready while the storage can be read. A node that is cut off from it answers nothing but 503.
    fn readiness(&self) -> (StatusCode, Readiness) {
        let view = self.authority.view();
        let (code, status) = match (self.draining.load(Ordering::Acquire), view.is_current()) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable"),
            (false, true) => (StatusCode::OK, "ready"),
        };
        let log_age_seconds = view.age().map(|age| age.as_secs_f64());
        (code, Readiness { status, position: view.position().0, log_age_seconds })
    }

    /// The published keys of each realm. What cannot be read just now is left out.
    async fn signing_keys(&self) -> Vec<(String, &'static str, i64)> {
        let (view, mut counted, mut after) = (self.authority.view(), Vec::new(), String::new());
        loop {
            let Ok(realms) = view.store().of_every_realm(Realm::KIND, &after, PAGE).await else {
                return counted;
            };
            for realm in &realms {
                let Ok(keys) =
                    view.made_of::<SigningKey, KeyCounts>(&realm.id, "", |keys| count(&keys)).await
                else {
                    return counted;
                };
                let states =
                    [("active", keys.active), ("passive", keys.passive), ("published", keys.published)];
                counted.extend(states.map(|(state, count)| (realm.id.clone(), state, count)));
            }
            match realms.last() {
                Some(last) if realms.len() == PAGE as usize => after.clone_from(&last.id),
                _ => return counted,
            }
        }
    }
}

async fn readiness(State(health): State<Arc<Health>>) -> Response {
    let (code, readiness) = health.readiness();
    let body = serde_json::to_string_pretty(&readiness).unwrap_or_default();
    (code, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let keys = health.signing_keys().await;
    let text = health.metrics.encode(health.authority.view(), &keys);
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

fn count(keys: &[SigningKey]) -> KeyCounts {
    keys.iter().fold(KeyCounts::default(), |mut counts, key| {
        match key.times.state() {
            KeyState::Active => counts.active += 1,
            KeyState::Passive => counts.passive += 1,
            KeyState::Published => counts.published += 1,
            KeyState::Retired => {}
        }
        counts
    })
}
