//! A service behind the gateway: it asks about each request, as nginx's `auth_request` does, and then shows
//! what a service would get to see.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::exit::Failure;

/// The header that the gateway fills, whatever a client sent under its name.
const IDENTITY: &str = "x-auth-subject";

/// The service. Cloning it copies pointers.
#[derive(Clone)]
pub(super) struct Echo {
    gateway: String,
    client: reqwest::Client,
}

impl Echo {
    pub(super) fn new(gateway: String) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()
            .map_err(Failure::HttpClient)?;
        Ok(Self { gateway, client })
    }

    pub(super) fn router(self) -> Router {
        Router::new().fallback(answer).with_state(self)
    }

    /// What the gateway says of this request.
    async fn ask(&self, request: &Parts) -> Result<reqwest::Response, reqwest::Error> {
        let uri = request.uri.path_and_query().map_or("/", |uri| uri.as_str());
        let mut headers = HeaderMap::new();
        for value in request.headers.get_all(AUTHORIZATION) {
            headers.append(AUTHORIZATION, value.clone());
        }
        if let Some(host) = request.headers.get(http::header::HOST) {
            headers.insert("x-original-host", host.clone());
        }
        self.client
            .get(&self.gateway)
            .headers(headers)
            .header("x-original-method", request.method.as_str())
            .header("x-original-uri", uri)
            .send()
            .await
    }
}

async fn answer(State(echo): State<Echo>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    match echo.ask(&request).await {
        Ok(allowed) if allowed.status().is_success() => show(&request, allowed.headers()),
        Ok(denied) => pass_on(denied).await,
        Err(_) => (StatusCode::BAD_GATEWAY, "the gateway does not answer\n").into_response(),
    }
}

fn show(request: &Parts, allowed: &HeaderMap) -> Response {
    let mut headers = request.headers.clone();
    // The token was for the gateway.
    headers.remove(AUTHORIZATION);
    headers.remove(IDENTITY);
    if let Some(identity) = allowed.get(IDENTITY) {
        headers.insert(IDENTITY, identity.clone());
    }
    let headers: Map<String, Value> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let shown = json!({
        "method": request.method.as_str(),
        "path": request.uri.path(),
        "headers": headers,
    });
    json_answer(StatusCode::OK, format!("{shown:#}\n"))
}

async fn pass_on(denied: reqwest::Response) -> Response {
    let status = denied.status();
    let told = denied.headers().clone();
    let mut response = json_answer(status, denied.text().await.unwrap_or_default());
    for name in [WWW_AUTHENTICATE, RETRY_AFTER] {
        if let Some(value) = told.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn json_answer(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}
