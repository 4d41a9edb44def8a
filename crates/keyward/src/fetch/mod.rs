//! Fetches small JSON documents from providers: within a time, a size, and the place that was named.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use keyward_verify::UnixTime;
use url::Url;

use crate::address::{self, AllowedHost};

mod answer;
mod error;
mod headers;
mod network;
mod resolver;
mod transport;

pub use answer::Answer;
pub use error::{FetchError, shown};
pub use headers::{age, max_age, retry_after};
pub use network::{NetworkSettings, NetworkTransport};
pub use transport::{Body, Exchange, OutgoingRequest, Transport};

/// Fetches documents for one issuer, whose connections all its fetches share.
#[derive(Clone, Debug)]
pub struct Fetcher {
    transport: Arc<dyn Transport>,
    timeout: Duration,
    body_limit: usize,
    allowed_hosts: Arc<[AllowedHost]>,
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
    /// `Date`: when it was made, by the provider's clock (RFC 9110 §6.6.1), where the answer had it.
    pub date: Option<UnixTime>,
}

/// The most redirects that one fetch follows.
const REDIRECT_LIMIT: usize = 3;

impl Fetcher {
    /// Gives each fetch `timeout` in all, DNS, connection, TLS and body included, reads `body_limit` octets at
    /// most, and trusts the system's anchors and those in `extra_anchors` (PEM). To `allowed_hosts` a provider
    /// may lead us whatever else stands against it, but for http. It uses no proxy: what may only be fetched
    /// from this machine must not leave it because of a variable in the environment.
    ///
    /// # Errors
    /// What the TLS library says of the anchors.
    pub fn new(
        timeout: Duration,
        body_limit: usize,
        extra_anchors: &[u8],
        allowed_hosts: &[AllowedHost],
    ) -> Result<Self, reqwest::Error> {
        let transport = Arc::new(NetworkTransport::new(extra_anchors, allowed_hosts)?);
        Ok(Self::with_transport(transport, timeout, body_limit, allowed_hosts))
    }

    /// The same by another way than this machine's network.
    pub fn with_transport(
        transport: Arc<dyn Transport>,
        timeout: Duration,
        body_limit: usize,
        allowed_hosts: &[AllowedHost],
    ) -> Self {
        Self { transport, timeout, body_limit, allowed_hosts: allowed_hosts.into() }
    }

    /// How long one fetch may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The most octets that are read of a document.
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// Fetches one document, from an address that the operator named.
    ///
    /// # Errors
    /// [`FetchError`]; the body is read no further than the limit.
    pub async fn get(&self, url: &Url) -> Result<Document, FetchError> {
        self.get_named_by(url, url).await
    }

    /// Fetches one document, from an address that was found at `named`, which the operator named.
    pub(crate) async fn get_named_by(&self, named: &Url, url: &Url) -> Result<Document, FetchError> {
        let fetching = tokio::time::timeout(self.timeout, self.follow(named, url));
        fetching.await.unwrap_or_else(|_| Err(FetchError::Timeout { url: shown(url) }))
    }

    async fn follow(&self, named: &Url, url: &Url) -> Result<Document, FetchError> {
        self.vet(named, url)?;
        let mut request = OutgoingRequest::get(url.clone());
        for _ in 0..=REDIRECT_LIMIT {
            let response = self.transport.send(&request).await?;
            let place = &request.url;
            let Some(location) = location(&response) else {
                return self.read(place, response).await;
            };
            request.url = self.redirected(place, location)?;
            self.check(named, &request.url)?;
        }
        Err(FetchError::TooManyRedirects { url: shown(url) })
    }

    fn vet(&self, named: &Url, url: &Url) -> Result<(), FetchError> {
        vet(named, url, &self.allowed_hosts)
    }

    fn check(&self, named: &Url, url: &Url) -> Result<(), FetchError> {
        check(named, url, &self.allowed_hosts)
    }

    fn redirected(&self, place: &Url, location: Option<&str>) -> Result<Url, FetchError> {
        redirected(place, location, &self.allowed_hosts)
    }

    async fn read(&self, url: &Url, response: Response<Body>) -> Result<Document, FetchError> {
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            let retry_after = retry_after(&head.headers);
            return Err(FetchError::Status { url: shown(url), status: head.status, retry_after });
        }
        let body = self.collect(url, &head.headers, body).await?;
        let (max_age, age) = (max_age(&head.headers), age(&head.headers));
        Ok(Document { body, max_age, age, date: headers::date(&head.headers) })
    }

    /// The whole body, where it is within the limit.
    async fn collect(&self, url: &Url, headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, FetchError> {
        let too_large = || FetchError::TooLarge { url: shown(url), limit: self.body_limit };
        if content_length(headers).is_some_and(|octets| octets > self.body_limit as u64) {
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
        Ok(octets)
    }
}

/// Whether `url`, which was found at `named`, may be asked at all, and without being asked for by name. What its name resolves
/// to is looked at when it is resolved ([`may_resolve_to`](address::may_resolve_to)).
///
/// # Errors
/// [`FetchError::InsecureAddress`], [`FetchError::ForbiddenAddress`], [`FetchError::ForeignHost`].
pub fn vet(named: &Url, url: &Url, allowed_hosts: &[AllowedHost]) -> Result<(), FetchError> {
    check(named, url, allowed_hosts)?;
    if named.host() != url.host() && !AllowedHost::any_covers(allowed_hosts, url) {
        return Err(FetchError::ForeignHost { url: shown(url) });
    }
    Ok(())
}

/// Whether `url` may be asked at all. What its name resolves to is checked when it is.
fn check(named: &Url, url: &Url, allowed_hosts: &[AllowedHost]) -> Result<(), FetchError> {
    let falls = named.scheme() == "https" && url.scheme() != "https";
    if falls || !address::is_acceptable(url) {
        return Err(FetchError::InsecureAddress { url: shown(url) });
    }
    // Who names this machine in so many words means it.
    let is_meant = || address::is_loopback(named) && address::is_loopback(url);
    match address::named_class(url) {
        Some(class) if !AllowedHost::any_covers(allowed_hosts, url) && !is_meant() => {
            Err(FetchError::ForbiddenAddress { url: shown(url), address: error::host(url), class })
        }
        _ => Ok(()),
    }
}

/// Where a redirect of `place` leads: nowhere else than where it came from, or to a host that is allowed.
///
/// # Errors
/// [`FetchError::RedirectRefused`].
pub fn redirected(
    place: &Url,
    location: Option<&str>,
    allowed_hosts: &[AllowedHost],
) -> Result<Url, FetchError> {
    let refused = |allowance| FetchError::RedirectRefused { url: shown(place), allowance };
    let Some(mut target) = location.and_then(|location| place.join(location).ok()) else {
        return Err(refused(None));
    };
    if address::is_same_origin(place, &target) {
        // They fail where an address has no host, and this one has the same as the other.
        let _ = target.set_username(place.username());
        let _ = target.set_password(place.password());
        return Ok(target);
    }
    let falls = place.scheme() == "https" && target.scheme() != "https";
    if falls || !address::is_acceptable(&target) {
        Err(refused(None))
    } else if AllowedHost::any_covers(allowed_hosts, &target) {
        Ok(target)
    } else {
        Err(refused(Some(error::host(&target))))
    }
}

/// `Location` of an answer that redirects (RFC 9110 §15.4); nothing within where it cannot be read.
fn location(response: &Response<Body>) -> Option<Option<&str>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    response.headers().get(LOCATION).map(|location| location.to_str().ok())
}

/// How long the body will be (RFC 9110 §8.6), where the answer says so.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
