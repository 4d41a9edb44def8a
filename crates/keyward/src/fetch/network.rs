//! Exchanges over this machine's network.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use http::Response;
use http_body_util::BodyExt;
use reqwest::dns::Resolve;
use reqwest::{Certificate, Client, Identity, redirect};
use url::Url;

use super::error::{FetchError, shown};
use super::resolver::{AddressRefused, GuardedResolver, SystemResolver};
use super::transport::{Exchange, OutgoingRequest, Transport};
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

/// What a [`NetworkTransport`] is made of. Its `Debug` does not show the certificate's key.
#[derive(Clone)]
pub struct NetworkSettings {
    /// Trust anchors beside the system's, in PEM.
    pub extra_anchors: Vec<u8>,
    /// Hosts whose names may resolve to any address.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Who we are in the TLS handshake (RFC 8446 §4.4.2), where the provider asks. Default nobody.
    pub identity: Option<Identity>,
    /// How many connections to one host are kept for later. Default 1, for a fetch now and then.
    pub idle_connections: usize,
    /// Who resolves names. Default the system.
    pub resolver: Arc<dyn Resolve>,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            extra_anchors: Vec::new(),
            allowed_hosts: Vec::new(),
            identity: None,
            idle_connections: 1,
            resolver: Arc::new(SystemResolver),
        }
    }
}

impl fmt::Debug for NetworkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkSettings")
            .field("allowed_hosts", &self.allowed_hosts)
            .field("idle_connections", &self.idle_connections)
            .finish_non_exhaustive()
    }
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
        Self::with_settings(NetworkSettings {
            extra_anchors: extra_anchors.to_vec(),
            allowed_hosts: allowed_hosts.to_vec(),
            resolver,
            ..NetworkSettings::default()
        })
    }

    /// The same, where more is said of it.
    ///
    /// # Errors
    /// What the TLS library says of the anchors, or of the identity.
    pub fn with_settings(settings: NetworkSettings) -> Result<Self, reqwest::Error> {
        let guarded = client(&settings, Arc::new(GuardedResolver(Arc::clone(&settings.resolver))))?;
        let is_needed = !settings.allowed_hosts.is_empty();
        let unguarded = is_needed.then(|| client(&settings, Arc::clone(&settings.resolver))).transpose()?;
        Ok(Self { guarded, unguarded, allowed_hosts: settings.allowed_hosts.into() })
    }

    fn client(&self, url: &Url) -> &Client {
        let is_allowed = AllowedHost::any_covers(&self.allowed_hosts, url);
        self.unguarded.as_ref().filter(|_| is_allowed).unwrap_or(&self.guarded)
    }
}

fn client(settings: &NetworkSettings, resolver: Arc<dyn Resolve>) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(resolver)
        .pool_max_idle_per_host(settings.idle_connections)
        .user_agent(concat!("keyward/", env!("CARGO_PKG_VERSION")));
    if !settings.extra_anchors.is_empty() {
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&settings.extra_anchors)?);
    }
    if let Some(identity) = &settings.identity {
        builder = builder.identity(identity.clone());
    }
    builder.build()
}

impl fmt::Debug for NetworkTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkTransport").field("allowed_hosts", &self.allowed_hosts).finish_non_exhaustive()
    }
}

impl Transport for NetworkTransport {
    fn send<'a>(&'a self, request: &'a OutgoingRequest) -> Exchange<'a> {
        let OutgoingRequest { method, url, headers, body } = request;
        let mut sending = self.client(url).request(method.clone(), url.clone()).headers(headers.clone());
        if !body.is_empty() {
            sending = sending.body(body.clone());
        }
        Box::pin(async move {
            let response = sending.send().await.map_err(|error| fetch_error(url, &error))?;
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
