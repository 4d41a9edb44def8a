//! Requests to nodes.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::form_urlencoded;

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was answered: the status, and the body where it is JSON.
pub(super) type Answer = (u16, Value);

/// A pool of connections.
#[derive(Clone, Debug)]
pub(super) struct Wire(Client<HttpConnector, Full<Bytes>>);

impl Wire {
    pub(super) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Fetches a text; none where nobody answers.
    pub(super) async fn read(&self, address: &str) -> Option<(u16, String)> {
        self.send(Request::get(address).body(Full::default()).ok()?).await
    }

    /// Fetches JSON.
    pub(super) async fn json(&self, address: &str) -> Option<Answer> {
        self.read(address).await.map(parsed)
    }

    /// Posts a form, with a bearer token where one is given.
    pub(super) async fn form(
        &self,
        address: &str,
        bearer: Option<&str>,
        form: &[(&str, &str)],
    ) -> Option<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(address).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        self.send(request.body(Full::from(body)).ok()?).await.map(parsed)
    }

    /// A call of the administration.
    pub(super) async fn administer(
        &self,
        method: Method,
        address: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut request =
            Request::builder().method(&method).uri(address).header(AUTHORIZATION, format!("Bearer {token}"));
        if method == Method::PUT {
            request = request.header(IF_MATCH, "*");
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send(request.body(Full::from(body)).ok()?).await.map(parsed)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Option<(u16, String)> {
        let exchange = async {
            let answer = self.0.request(request).await.ok()?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.ok()?.to_bytes();
            Some((status, String::from_utf8_lossy(&body).into_owned()))
        };
        tokio::time::timeout(PATIENCE, exchange).await.ok().flatten()
    }
}

/// A text in JSON, by its pointer (RFC 6901).
pub(super) fn text<'a>(json: &'a Value, pointer: &str) -> Option<&'a str> {
    json.pointer(pointer)?.as_str()
}

/// Whether a text in JSON is this one.
pub(super) fn says(json: &Value, pointer: &str, wanted: &str) -> bool {
    text(json, pointer) == Some(wanted)
}

/// What is in a list of the administration.
pub(super) fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page.pointer("/items").and_then(Value::as_array).into_iter().flatten()
}

fn parsed((status, text): (u16, String)) -> Answer {
    (status, serde_json::from_str(&text).unwrap_or_default())
}
