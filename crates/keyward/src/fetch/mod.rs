//! Fetches small JSON documents from providers: within a time, a size, and the place that was named.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use url::Url;

use crate::address;

mod error;
mod headers;
mod transport;

pub use error::FetchError;
pub(crate) use error::shown;
pub use transport::{Body, Exchange, Transport};

/// Fetches documents for one issuer, whose connections all its fetches share.
#[derive(Clone, Debug)]
pub struct Fetcher {
    transport: Arc<dyn Transport>,
    timeout: Duration,
    body_limit: usize,
}

/// A document as it came.
#[derive(Debug)]
pub struct Document {
    /// The octets, within the limit.
    pub body: Vec<u8>,
    /// `Cache-Control: max-age`, where the answer had it.
    pub max_age: Option<Duration>,
    /// `Age`: how long a cache on the way has kept the answer (RFC 9111 §5.1).
    pub age: Duration,
}

/// The most redirects that one fetch follows.
const REDIRECT_LIMIT: usize = 3;

impl Fetcher {
    /// Gives each fetch `timeout` in all, DNS, connection, TLS and body included, reads `body_limit` octets at
    /// most, and trusts the system's anchors and those in `extra_anchors` (PEM). It uses no proxy: what may only
    /// be fetched from this machine must not leave it because of a variable in the environment.
    ///
    /// # Errors
    /// What the TLS library says of the anchors.
    pub fn new(timeout: Duration, body_limit: usize, extra_anchors: &[u8]) -> Result<Self, reqwest::Error> {
        let transport = Arc::new(transport::NetworkTransport::new(extra_anchors)?);
        Ok(Self::with_transport(transport, timeout, body_limit))
    }

    /// The same by another way than this machine's network.
    pub fn with_transport(transport: Arc<dyn Transport>, timeout: Duration, body_limit: usize) -> Self {
        Self { transport, timeout, body_limit }
    }

    /// How long one fetch may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The most octets that are read of a document.
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// Fetches one document.
    ///
    /// # Errors
    /// [`FetchError`]; the body is read no further than the limit.
    pub async fn get(&self, url: &Url) -> Result<Document, FetchError> {
        let fetching = tokio::time::timeout(self.timeout, self.follow(url));
        fetching.await.unwrap_or_else(|_| Err(FetchError::Timeout { url: shown(url) }))
    }

    async fn follow(&self, url: &Url) -> Result<Document, FetchError> {
        let mut place = url.clone();
        for _ in 0..=REDIRECT_LIMIT {
            if !address::is_acceptable(&place) {
                return Err(FetchError::InsecureAddress { url: shown(&place) });
            }
            let response = self.transport.get(&place).await?;
            match redirect_target(&place, &response) {
                Some(target) => place = target?,
                None => return self.read(&place, response).await,
            }
        }
        Err(FetchError::RedirectRefused { url: shown(url) })
    }

    async fn read(&self, url: &Url, response: Response<Body>) -> Result<Document, FetchError> {
        let (head, mut body) = response.into_parts();
        if head.status != StatusCode::OK {
            let retry_after = headers::retry_after(&head.headers);
            return Err(FetchError::Status { url: shown(url), status: head.status, retry_after });
        }
        let too_large = || FetchError::TooLarge { url: shown(url), limit: self.body_limit };
        if content_length(&head.headers).is_some_and(|octets| octets > self.body_limit as u64) {
            return Err(too_large());
        }
        let mut octets = Vec::new();
        while let Some(frame) = body.frame().await {
            // What is no data is a trailer.
            let data = frame?.into_data().unwrap_or_default();
            if octets.len() + data.len() > self.body_limit {
                return Err(too_large());
            }
            octets.extend_from_slice(&data);
        }
        let (max_age, age) = (headers::max_age(&head.headers), headers::age(&head.headers));
        Ok(Document { body: octets, max_age, age })
    }
}

/// Where an answer leads: nowhere else, mostly. Only the place that was asked may be led to.
fn redirect_target(place: &Url, response: &Response<Body>) -> Option<Result<Url, FetchError>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let target = location.to_str().ok().and_then(|location| place.join(location).ok());
    let target = target.filter(|target| address::is_same_origin(place, target)).map(|mut target| {
        // They fail where an address has no host, and this one has the same as the other.
        let _ = target.set_username(place.username());
        let _ = target.set_password(place.password());
        target
    });
    Some(target.ok_or_else(|| FetchError::RedirectRefused { url: shown(place) }))
}

/// How long the body will be (RFC 9110 §8.6), where the answer says so.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
