//! Why a fetch failed.

use std::time::Duration;

use http::StatusCode;
use keyward_jose::JwkSetError;
use keyward_x509::BundleError;
use url::Url;

use crate::address::{AddressClass, AllowedHost};

/// Why a fetch failed. Nothing of the answer's body is in it, and addresses are without user, password, query
/// and fragment, where credentials stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A file of certificates, in place of a JWK Set, holds none.
    #[error("{path} holds no certificate: {cause}")]
    Certificate {
        /// Which file.
        path: String,
        /// Why not.
        cause: BundleError,
    },
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
    /// The host is, or resolves to, what no provider is: loopback, a cloud's metadata, and the like.
    #[error("{url} is refused: {address} is {class}; allow_hosts = [{:?}] would allow it", host(url))]
    ForbiddenAddress {
        /// Which address.
        url: Url,
        /// What it names, or one of those that it resolves to.
        address: String,
        /// What that is.
        class: AddressClass,
    },
    /// The issuer's discovery document names an address on another host than the issuer's own.
    #[error(
        "{url} is refused: it is on another host than the issuer; allow_hosts = [{:?}] would allow it",
        host(url)
    )]
    ForeignHost {
        /// The address that the document names.
        url: Url,
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
    /// The discovery document does not name the endpoint, or by an address that may not be used.
    #[error("the discovery document of {issuer} names no usable {member}")]
    NotNamed {
        /// Whose.
        issuer: String,
        /// The member that is missing.
        member: &'static str,
    },
    /// A redirect led to another host, port or scheme.
    #[error("{url} redirects to another place{}", advice(allowance))]
    RedirectRefused {
        /// What was asked.
        url: Url,
        /// The host that it would take to be allowed; none where that would not help.
        allowance: Option<String>,
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
    /// One redirect followed on another.
    #[error("{url} redirects too often")]
    TooManyRedirects {
        /// What was asked.
        url: Url,
    },
}

impl FetchError {
    /// Every label, in order.
    pub const LABELS: &[&str] = &[
        "certificate",
        "connect",
        "discovery_malformed",
        "dns",
        "file",
        "forbidden_address",
        "foreign_host",
        "insecure_address",
        "issuer_mismatch",
        "malformed",
        "not_named",
        "redirect_refused",
        "status",
        "timeout",
        "tls",
        "too_large",
        "too_many_redirects",
    ];

    /// The label in metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "certificate",
            Self::Connect { .. } => "connect",
            Self::DiscoveryMalformed { .. } => "discovery_malformed",
            Self::Dns { .. } => "dns",
            Self::File { .. } => "file",
            Self::ForbiddenAddress { .. } => "forbidden_address",
            Self::ForeignHost { .. } => "foreign_host",
            Self::InsecureAddress { .. } => "insecure_address",
            Self::IssuerMismatch { .. } => "issuer_mismatch",
            Self::JwkSet { .. } => "malformed",
            Self::NotNamed { .. } => "not_named",
            Self::RedirectRefused { .. } => "redirect_refused",
            Self::Status { .. } => "status",
            Self::Timeout { .. } => "timeout",
            Self::Tls { .. } => "tls",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyRedirects { .. } => "too_many_redirects",
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

/// The host of an address, as `allow_hosts` has it.
pub(super) fn host(url: &Url) -> String {
    AllowedHost::of(url).map(|host| host.to_string()).unwrap_or_default()
}

fn advice(allowance: &Option<String>) -> String {
    allowance.as_ref().map(|host| format!("; allow_hosts = [{host:?}] would allow it")).unwrap_or_default()
}

/// An address as errors show it: without user and password, query and fragment, where credentials stand.
pub fn shown(url: &Url) -> Url {
    let mut shown = url.clone();
    // They fail where an address has no host, and then it has no user either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_are_those_that_are_given() {
        let (_, given) = include_str!("error.rs").split_once("fn label(&self)").expect("the function");
        let (given, _) = given.split_once("/// How long").expect("its end");
        let mut given: Vec<_> =
            given.split("=> \"").skip(1).filter_map(|arm| arm.split('"').next()).collect();
        given.sort_unstable();
        assert_eq!(given, FetchError::LABELS);
    }
}
