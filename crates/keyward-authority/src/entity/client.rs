//! Who may ask for tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// Who may ask for tokens (RFC 6749 §2). Its secrets and keys are kept beside it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// What it is for, for people.
    #[serde(default)]
    pub description: String,
    /// Whether it is let in.
    pub enabled: bool,
    /// Whether it can keep a secret.
    pub kind: ClientKind,
    /// How it may authenticate itself; `none` for a public client.
    pub auth_methods: Vec<ClientAuthMethod>,
    /// What it may ask by.
    pub grant_types: Vec<GrantType>,
    /// The resource servers that it may have tokens for, by audience.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The scopes that it may have.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether its tokens are bound to a key by DPoP in any case (RFC 9449 §5.2).
    #[serde(default)]
    pub requires_dpop: bool,
    /// Whether its tokens are bound to the certificate of its connection in any case, as they are where it authenticates
    /// itself by it (RFC 8705 §3.4).
    #[serde(default)]
    pub requires_certificate: bool,
    /// Whose certificate is its own, for `tls_client_auth` (RFC 8705 §2.1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_subject: Option<TlsSubject>,
    /// Where its keys are, beside those that are kept here, which count where one of each has the same `kid` (RFC 7591 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

/// Whether a client can keep a secret (RFC 6749 §2.1).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// It can.
    Confidential,
    /// It cannot.
    Public,
}

/// How a client authenticates itself, by the registered names (RFC 7591 §2, RFC 8705 §2).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// Its secret, in `Authorization: Basic`.
    ClientSecretBasic,
    /// Its secret, in the form.
    ClientSecretPost,
    /// Not at all: a public client.
    None,
    /// An assertion that its key signs (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A certificate that is one of its keys'.
    SelfSignedTlsClientAuth,
    /// A certificate of a trusted authority.
    TlsClientAuth,
}

/// What a client asks by.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
pub enum GrantType {
    /// RFC 6749 §4.4.
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// RFC 7523 §2.1.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
    /// RFC 6749 §6.
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// RFC 8693.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

/// Whose certificate is a client's (RFC 8705 §2.1.2): one of these.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsSubject {
    /// `tls_client_auth_san_dns`.
    Dns(String),
    /// `tls_client_auth_san_email`.
    Email(String),
    /// `tls_client_auth_san_ip`.
    #[schema(value_type = String)]
    Ip(std::net::IpAddr),
    /// `tls_client_auth_subject_dn` (RFC 4514).
    SubjectDn(String),
    /// `tls_client_auth_san_uri`.
    Uri(String),
}

impl Kept for Client {
    const KIND: Kind = Kind("client");

    fn id(&self) -> String {
        self.id.clone()
    }
}
