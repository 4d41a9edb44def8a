//! Exchanges over this machine's network.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use http::Response;
use http_body_util::BodyExt;
use reqwest::dns::Resolve;
use reqwest::{Certificate, Client, redirect};
use url::Url;

use super::error::{FetchError, shown};
use super::resolver::{AddressRefused, GuardedResolver, SystemResolver};
use super::transport::{Exchange, Transport};
use crate::address::AllowedHost;

/// HTTP over this machine's network. Its connections are kept for the next exchange.
///
/// A name that resolves to nothing but addresses that no provider has is refused as it is resolved, each time, so
/// that a name cannot be good when it is looked at and bad when it is connected to.
pub struct NetworkTransport {
    guarded: Client,
    /// For hosts that may have any address. There is none where there are none.
    unguarded: Option<Client>,
    allowed_hosts: Box<[AllowedHost]>,
}

impl NetworkTransport {
    /// It trusts the system's anchors and those in `extra_anchors` (PEM). The names of `allowed_hosts` may resolve
    /// to any address.
    ///
    /// # Errors
    /// What the TLS library says of the anchors.
    pub fn new(extra_anchors: &[u8], allowed_hosts: &[AllowedHost]) -> Result<Self, reqwest::Error> {
        Self::with_resolver(extra_anchors, allowed_hosts, Arc::new(SystemResolver))
    }

    /// The same, where names are resolved by another than the system.
    ///
    /// # Errors
    /// What the TLS library says of the anchors.
    pub fn with_resolver(
        extra_anchors: &[u8],
        allowed_hosts: &[AllowedHost],
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, reqwest::Error> {
        let guarded = client(extra_anchors, Arc::new(GuardedResolver(Arc::clone(&resolver))))?;
        let is_needed = !allowed_hosts.is_empty();
        let unguarded = is_needed.then(|| client(extra_anchors, resolver)).transpose()?;
        Ok(Self { guarded, unguarded, allowed_hosts: allowed_hosts.into() })
    }

    fn client(&self, url: &Url) -> &Client {
        let is_allowed = AllowedHost::any_covers(&self.allowed_hosts, url);
        self.unguarded.as_ref().filter(|_| is_allowed).unwrap_or(&self.guarded)
    }
}

fn client(extra_anchors: &[u8], resolver: Arc<dyn Resolve>) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(resolver)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
    if !extra_anchors.is_empty() {
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(extra_anchors)?);
    }
    builder.build()
}

impl fmt::Debug for NetworkTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkTransport").field("allowed_hosts", &self.allowed_hosts).finish_non_exhaustive()
    }
}

impl Transport for NetworkTransport {
    fn get<'a>(&'a self, url: &'a Url) -> Exchange<'a> {
        let request = self.client(url).get(url.clone()).header(http::header::ACCEPT, "application/json");
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
    if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<AddressRefused>()) {
        FetchError::ForbiddenAddress { url, address: refused.address.to_string(), class: refused.class }
    } else if error.is_timeout() {
        FetchError::Timeout { url }
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
