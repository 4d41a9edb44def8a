//! Fetches small JSON documents from providers: within a time, a size, and the place that was named.

use std::error::Error as _;
use std::time::Duration;

use http::header::{AGE, CACHE_CONTROL, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use keyward_jose::JwkSetError;
use reqwest::{Client, Response, redirect};
use url::Url;

use crate::address;

/// A client for providers. Its connections are shared by all fetches of one issuer.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
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

/// Why a fetch failed. Nothing of the answer's body is in it, and addresses are without user, password, query
/// and fragment, where credentials stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The connection could not be made, or broke.
    #[error("the connection to {url} failed: {cause}")]
    Connect {
        /// What was asked.
        url: Url,
        /// The innermost cause.
        cause: String,
    },
    /// The discovery document could not be read.
    #[error("the discovery document at {url} is no JSON object with issuer and jwks_uri")]
    DiscoveryMalformed {
        /// What was asked.
        url: Url,
    },
    /// The name could not be resolved.
    #[error("cannot resolve the host of {url}: {cause}")]
    Dns {
        /// What was asked.
        url: Url,
        /// The innermost cause.
        cause: String,
    },
    /// A local file could not be read.
    #[error("cannot read {path}: {cause}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// An address that is neither https nor on this machine.
    #[error("{url} is refused: keys are fetched by https, or by http from loopback")]
    InsecureAddress {
        /// Which address.
        url: Url,
    },
    /// The discovery document is another issuer's: its `issuer` must match to the letter (OpenID Connect
    /// Discovery §4.3, RFC 8414 §3.3).
    #[error("{url} answers for issuer {found:?}, and {expected:?} is configured")]
    IssuerMismatch {
        /// What was asked.
        url: Url,
        /// The issuer that is configured.
        expected: String,
        /// The issuer that the document names.
        found: String,
    },
    /// The answer is no JWK Set.
    #[error("the answer of {place} is no JWK Set: {cause}")]
    JwkSet {
        /// The address or file.
        place: String,
        /// Why not.
        cause: JwkSetError,
    },
    /// A redirect led to another host or scheme, or there were too many.
    #[error("{url} redirects to another place, or too often")]
    RedirectRefused {
        /// What was asked.
        url: Url,
    },
    /// A status other than 200.
    #[error("{url} answers {status}")]
    Status {
        /// What was asked.
        url: Url,
        /// What it answered.
        status: StatusCode,
        /// `Retry-After`, where the answer had it; a date counts from the answer's own `Date`.
        retry_after: Option<Duration>,
    },
    /// The answer did not come, or not all of it, within the time.
    #[error("{url} did not answer within the time")]
    Timeout {
        /// What was asked.
        url: Url,
    },
    /// The TLS handshake failed.
    #[error("no TLS connection to {url}: {cause}")]
    Tls {
        /// What was asked.
        url: Url,
        /// The innermost cause.
        cause: String,
    },
    /// The body is longer than the limit.
    #[error("the answer of {url} is over the limit of {limit} octets")]
    TooLarge {
        /// What was asked.
        url: Url,
        /// The limit.
        limit: usize,
    },
}

impl FetchError {
    /// The label in metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::DiscoveryMalformed { .. } => "discovery_malformed",
            Self::Dns { .. } => "dns",
            Self::File { .. } => "file",
            Self::InsecureAddress { .. } => "insecure_address",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::JwkSet { .. } => "malformed",
            Self::RedirectRefused { .. } => "redirect_refused",
            Self::Status { .. } => "status",
            Self::Timeout { .. } => "timeout",
            Self::Tls { .. } => "tls",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// How long the provider asked to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Fetcher {
    /// A client that gives each fetch `timeout` in all, DNS, connection, TLS and body included, and trusts
    /// the system's anchors and those in `extra_anchors` (PEM). It uses no proxy: what may only be fetched
    /// from this machine must not leave it because of a variable in the environment.
    ///
    /// # Errors
    /// What the TLS library says of the anchors.
    pub fn new(timeout: Duration, body_limit: usize, extra_anchors: &[u8]) -> Result<Self, reqwest::Error> {
        let same_origin = redirect::Policy::custom(|attempt| {
            let first = attempt.previous().first().is_some_and(|first| {
                attempt.previous().len() <= REDIRECT_LIMIT && address::is_same_origin(first, attempt.url())
            });
            // An answer that redirects elsewhere is handed over as it is, and refused for its status.
            if first { attempt.follow() } else { attempt.stop() }
        });
        let mut builder = Client::builder()
            .timeout(timeout)
            .redirect(same_origin)
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(1)
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
        if !extra_anchors.is_empty() {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(extra_anchors)?);
        }
        Ok(Self { client: builder.build()?, timeout, body_limit })
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
        if !address::is_acceptable(url) {
            return Err(FetchError::InsecureAddress { url: shown(url) });
        }
        let request = self.client.get(url.clone()).header(http::header::ACCEPT, "application/json");
        let response = request.send().await.map_err(|error| transport_error(url, &error))?;
        let status = response.status();
        if status.is_redirection() && response.headers().contains_key(LOCATION) {
            return Err(FetchError::RedirectRefused { url: shown(url) });
        }
        if status != StatusCode::OK {
            let retry_after = retry_after(response.headers());
            return Err(FetchError::Status { url: shown(url), status, retry_after });
        }
        let (max_age, age) = (max_age(response.headers()), age(response.headers()));
        Ok(Document { body: self.read_body(url, response).await?, max_age, age })
    }

    async fn read_body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, FetchError> {
        let too_large = || FetchError::TooLarge { url: shown(url), limit: self.body_limit };
        if response.content_length().is_some_and(|octets| octets > self.body_limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(url, &error))? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// An address as errors show it: without user and password, query and fragment, where credentials stand.
pub(crate) fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    // They fail where an address has no host, and then it has no user either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown
}

fn transport_error(url: &Url, error: &reqwest::Error) -> FetchError {
    let url = shown(url);
    let cause = innermost(error);
    if error.is_timeout() {
        FetchError::Timeout { url }
    } else if error.is_redirect() {
        FetchError::RedirectRefused { url }
    } else if error.is_dns() {
        FetchError::Dns { url, cause }
    } else if is_tls(error) {
        FetchError::Tls { url, cause }
    } else {
        FetchError::Connect { url, cause }
    }
}

/// What went wrong first; the layers above it only say that something did.
fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// reqwest tells no TLS error apart from a refused connection, so the causes are looked through.
fn is_tls(error: &reqwest::Error) -> bool {
    // The text is tokio-rustls' word for a peer that hangs up.
    causes(error).any(|cause| cause.is::<rustls::Error>() || cause.to_string() == "tls handshake eof")
}

/// What is behind an error, outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(error.source(), |cause| behind(*cause))
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

/// An I/O error does not count what it wraps among its sources.
fn behind(cause: Cause<'_>) -> Option<Cause<'_>> {
    match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

/// `Retry-After` of RFC 9110 §10.2.3: seconds, or a date. The date is held against the provider's own clock,
/// which ours need not agree with.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(asked).ok()?;
    let sent = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(date.duration_since(sent).unwrap_or_default())
}

/// `Age` of RFC 9111 §5.1, in seconds.
fn age(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(AGE).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// `max-age` of RFC 9111 §5.2.2.1, in any case and place of the field.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| directive.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("max-age"))
        .and_then(|(_, seconds)| seconds.trim().trim_matches('"').parse().ok())
        .map(Duration::from_secs)
}
