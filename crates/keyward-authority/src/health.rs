//! The admin listener: how this node fares, for operators and for what watches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::authority::Authority;
use crate::entity::{Kept as _, Realm};
use crate::metrics::Metrics;
use crate::signing::WatchedKeys;
use crate::storage::Versioned;

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
    /// Why the storage cannot be read, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// For how long the storage is asked why it cannot be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Realms that are read at once.
const PAGE: u32 = 500;

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
    async fn readiness(&self) -> (StatusCode, Readiness) {
        let view = self.authority.view();
        let (code, status) = match (self.draining.load(Ordering::Acquire), view.is_current()) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable"),
            (false, true) => (StatusCode::OK, "ready"),
        };
        let why = if view.is_current() { None } else { Some(self.why_unreadable().await) };
        let log_age_seconds = view.age().map(|age| age.as_secs_f64());
        (code, Readiness { status, position: view.position().0, log_age_seconds, why })
    }

    async fn why_unreadable(&self) -> String {
        match tokio::time::timeout(PATIENCE, self.authority.view().store().head()).await {
            Err(_) => "the database does not answer".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(_)) => "the database answers again, and the log is about to be read".to_owned(),
        }
    }

    /// What is to be watched of the keys of each realm, by its name. What cannot be read just now is left out.
    async fn keys(&self) -> Vec<(String, WatchedKeys)> {
        let (store, mut watched, mut after) = (self.authority.view().store(), Vec::new(), String::new());
        loop {
            let Ok(page) = store.of_every_realm(Realm::KIND, &after, PAGE).await else {
                return watched;
            };
            for Versioned { id, body, .. } in &page {
                // One that another version wrote is told of where it is used.
                let Ok(realm) = serde_json::from_str::<Realm>(body) else { continue };
                let Ok(keys) = WatchedKeys::of(&self.authority, &realm).await else {
                    return watched;
                };
                watched.push((id.clone(), keys));
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after.clone_from(&last.id),
                _ => return watched,
            }
        }
    }

    /// How many events this node has not read yet; none where that cannot be asked just now.
    async fn behind(&self) -> Option<i64> {
        let view = self.authority.view();
        let position = view.position();
        let head = tokio::time::timeout(PATIENCE, view.store().head()).await.ok()?.ok()?;
        Some(head.0.saturating_sub(position.0).max(0))
    }
}

async fn readiness(State(health): State<Arc<Health>>) -> Response {
    let (code, readiness) = health.readiness().await;
    let body = serde_json::to_string_pretty(&readiness).unwrap_or_default();
    (code, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let (keys, behind) = (health.keys().await, health.behind().await);
    let text = health.metrics.encode(health.authority.view(), behind, &keys);
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}
