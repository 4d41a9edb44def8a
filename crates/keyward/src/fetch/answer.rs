//! One request that is answered by this very place or not at all: what carries a credential goes nowhere else.

use std::fmt;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use super::error::{FetchError, shown};
use super::{Fetcher, OutgoingRequest, headers};

/// An answer of any status but a redirect. Its `Debug` shows neither headers nor body.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The octets, within the limit; wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The media type of `Content-Type` in lower case, without its parameters; none where there is none that can
    /// be read (RFC 9110 §8.3).
    pub fn media_type(&self) -> Option<String> {
        let content_type = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        Some(media_type.to_ascii_lowercase())
    }

    /// How long the provider asked to be left alone (RFC 9110 §10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        headers::retry_after(&self.headers)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Sends a request to an address that was found at `named`, which the operator named; the same one twice where
    /// the operator named it. It follows no redirect: the request may carry a credential.
    ///
    /// # Errors
    /// [`FetchError`]; a redirect is [`FetchError::RedirectRefused`]. The body is read no further than the limit.
    pub async fn send(&self, named: &Url, request: &OutgoingRequest) -> Result<Answer, FetchError> {
        self.vet(named, &request.url)?;
        let sending = tokio::time::timeout(self.timeout, self.send_once(request));
        sending.await.unwrap_or_else(|_| Err(FetchError::Timeout { url: shown(&request.url) }))
    }

    async fn send_once(&self, request: &OutgoingRequest) -> Result<Answer, FetchError> {
        let (head, body) = self.transport.send(request).await?.into_parts();
        if head.status.is_redirection() {
            return Err(FetchError::RedirectRefused { url: shown(&request.url), allowance: None });
        }
        let body = Zeroizing::new(self.collect(&request.url, &head.headers, body).await?);
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}
