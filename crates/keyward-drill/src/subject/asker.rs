//! Asks a forward-auth address what it says of a token.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::drill::Header;
use crate::seen::Outcome;

/// What our gateway marks fallback verdicts with, as it is set up here.
pub(super) const FALLBACK_HEADER: &str = "x-keyward-fallback";

/// How long a request may take. Whoever waits for longer has gone elsewhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of connections to one address.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    client: Client<HttpConnector, Full<Bytes>>,
    address: Uri,
}

impl Asker {
    pub(crate) fn new(address: Uri) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, address }
    }

    /// Sends one request with the token.
    pub(crate) async fn ask(&self, token: &str, header: Header) -> Outcome {
        let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) else {
            return Outcome::Unanswered;
        };
        let mut request = Request::new(Full::default());
        *request.uri_mut() = self.address.clone();
        if header != Header::Stripped {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        if header == Header::Doubled {
            request.headers_mut().append(AUTHORIZATION, value);
        }
        match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
            Ok(Ok(answer)) => {
                let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
                let outcome =
                    Outcome::of_answer(answer.status(), header("x-keyward-reason"), header(FALLBACK_HEADER));
                // Read to its end, so that the connection serves again.
                let _ = tokio::time::timeout(PATIENCE, answer.into_body().collect()).await;
                outcome
            }
            Ok(Err(_)) | Err(_) => Outcome::Unanswered,
        }
    }

    /// Posts a form with the same client; the answer's status.
    pub(crate) async fn post(&self, address: Uri, form: String) -> Option<StatusCode> {
        let mut request = Request::new(Full::from(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = address;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        let posting = tokio::time::timeout(PATIENCE, self.client.request(request));
        Some(posting.await.ok()?.ok()?.status())
    }

    /// Fetches a document of the same client; its status and text.
    pub(crate) async fn read(&self, address: Uri) -> Option<(StatusCode, String)> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = address;
        let reading = async {
            let answer = self.client.request(request).await.ok()?;
            let status = answer.status();
            let body = answer.into_body().collect().await.ok()?.to_bytes();
            Some((status, String::from_utf8_lossy(&body).into_owned()))
        };
        tokio::time::timeout(PATIENCE, reading).await.ok().flatten()
    }
}
