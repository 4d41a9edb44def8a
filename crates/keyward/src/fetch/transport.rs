//! One exchange with a provider: by the network, or by whatever a test puts in its place.

use std::error::Error as _;
use std::fmt::Debug;
use std::pin::Pin;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use reqwest::{Client, redirect};
use url::Url;

use super::error::{FetchError, shown};

/// Makes one exchange with a provider.
///
/// It follows no redirect and limits nothing: times, sizes and places are [`Fetcher`](super::Fetcher)'s, so that
/// they are the same whatever carries the exchange.
pub trait Transport: Send + Sync + Debug {
    /// Sends a GET for `url`, and comes back with the head of the answer. It is dropped when the time is over.
    fn get<'a>(&'a self, url: &'a Url) -> Exchange<'a>;
}

/// What [`Transport::get`] comes back with: any status, or why there is none.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, FetchError>> + Send + 'a>>;

/// An answer's body as it comes in.
pub type Body = BoxBody<Bytes, FetchError>;

/// HTTP over this machine's network. Its connections are kept for the next exchange.
#[derive(Debug)]
pub(super) struct NetworkTransport {
    client: Client,
}

impl NetworkTransport {
    /// It trusts the system's anchors and those in `extra_anchors` (PEM).
    pub(super) fn new(extra_anchors: &[u8]) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(1)
            .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
        if !extra_anchors.is_empty() {
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(extra_anchors)?);
        }
        Ok(Self { client: builder.build()? })
    }
}

impl Transport for NetworkTransport {
    fn get<'a>(&'a self, url: &'a Url) -> Exchange<'a> {
        let request = self.client.get(url.clone()).header(http::header::ACCEPT, "application/json");
        Box::pin(async move {
            let response = request.send().await.map_err(|error| fetch_error(url, &error))?;
            let url = url.clone();
            Ok(Response::from(response)
                .map(|body| body.map_err(move |error| fetch_error(&url, &error)).boxed()))
        })
    }
}

fn fetch_error(url: &Url, error: &reqwest::Error) -> FetchError {
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
