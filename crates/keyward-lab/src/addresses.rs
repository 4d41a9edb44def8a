//! Where an issuer is reached, and where it says that it is.

use serde::Serialize;

use crate::command::{IssuerName, JwksUri};
use crate::fault::{Endpoint, RedirectTo};

/// The addresses of an issuer.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct IssuerAddresses {
    /// `iss`, below which discovery is.
    pub issuer: String,
    /// The JWK Set.
    pub jwks_uri: String,
    /// The token endpoint.
    pub token_endpoint: String,
    /// The introspection endpoint.
    pub introspection_endpoint: String,
    /// The revocation endpoint, at the token endpoint's port.
    pub revocation_endpoint: String,
    #[serde(skip)]
    scheme: &'static str,
    #[serde(skip)]
    issuer_port: u16,
    #[serde(skip)]
    jwks_port: u16,
}

/// A host of RFC 3927 that nobody has.
const LINK_LOCAL: &str = "169.254.13.37";

/// Where the clouds keep the credentials of a machine.
const METADATA: &str = "169.254.169.254";

const HOST: &str = "127.0.0.1";
const OTHER_HOST: &str = "localhost";

pub(crate) const JWKS_PATH: &str = "/jwks";
pub(crate) const TOKEN_PATH: &str = "/token";
pub(crate) const REVOCATION_PATH: &str = "/revoke";
pub(crate) const INTROSPECTION_PATH: &str = "/introspect";

impl IssuerAddresses {
    /// `ports` gives each endpoint's.
    pub(crate) fn new(tls: bool, ports: impl Fn(Endpoint) -> u16) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let at = |endpoint, path| format!("{scheme}://{HOST}:{}{path}", ports(endpoint));
        Self {
            issuer: at(Endpoint::Discovery, ""),
            jwks_uri: at(Endpoint::Jwks, JWKS_PATH),
            token_endpoint: at(Endpoint::Token, TOKEN_PATH),
            introspection_endpoint: at(Endpoint::Introspection, INTROSPECTION_PATH),
            revocation_endpoint: at(Endpoint::Token, REVOCATION_PATH),
            scheme,
            issuer_port: ports(Endpoint::Discovery),
            jwks_port: ports(Endpoint::Jwks),
        }
    }

    /// Whether a host is one by which issuers are reached.
    pub(crate) fn is_host(host: &str) -> bool {
        host == HOST || host == OTHER_HOST
    }

    /// The host that issuers are not named by, and answer by as well.
    pub(crate) fn other_host(&self) -> &'static str {
        OTHER_HOST
    }

    /// What it calls itself.
    pub(crate) fn told_issuer(&self, told: &IssuerName) -> String {
        let (scheme, port) = (self.scheme, self.issuer_port);
        match told {
            IssuerName::True => self.issuer.clone(),
            IssuerName::Slash => format!("{}/", self.issuer),
            IssuerName::UpperCase => format!("{}://{HOST}:{port}", scheme.to_uppercase()),
            IssuerName::OtherPort => format!("{scheme}://{HOST}:{}", port.wrapping_add(1)),
            IssuerName::Given(name) => name.clone(),
        }
    }

    /// What discovery says of `jwks_uri`.
    pub(crate) fn told_jwks_uri(&self, told: &JwksUri) -> String {
        let (scheme, port) = (self.scheme, self.jwks_port);
        match told {
            JwksUri::True => self.jwks_uri.clone(),
            JwksUri::Http => format!("http://{HOST}:{port}{JWKS_PATH}"),
            JwksUri::OtherHost => format!("{scheme}://{OTHER_HOST}:{port}{JWKS_PATH}"),
            JwksUri::LinkLocal => format!("{scheme}://{LINK_LOCAL}{JWKS_PATH}"),
            JwksUri::Metadata => format!("http://{METADATA}/latest/meta-data/"),
            JwksUri::Url(url) => url.clone(),
        }
    }

    /// Where a redirect leads.
    pub(crate) fn redirect(&self, to: &RedirectTo, port: u16, path: &str) -> String {
        let scheme = self.scheme;
        match to {
            RedirectTo::OtherHost => format!("{scheme}://{OTHER_HOST}:{port}{path}"),
            RedirectTo::Http => format!("http://{HOST}:{port}{path}"),
            RedirectTo::LinkLocal => format!("{scheme}://{LINK_LOCAL}{path}"),
            RedirectTo::Metadata => format!("http://{METADATA}/latest/meta-data/"),
            RedirectTo::Itself => format!("{scheme}://{HOST}:{port}{path}"),
            RedirectTo::Url(url) => url.clone(),
        }
    }
}
