//! Clients: who may ask for tokens.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use keyward_authority::entity::{ClientAuthMethod, GrantType};
use serde_json::{Map, Value, json};

use super::api::body;
use super::kind::{Kind, Members, RealmOf, object};
use super::table::Column;
use crate::exit::Failure;

/// What is set of a client.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// What it is for, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether it cannot keep a secret, and so does not authenticate itself
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    public: Option<bool>,
    /// How it authenticates itself; may be given several times [default at creation: client-secret-basic]
    #[arg(long, value_name = "METHOD")]
    method: Vec<Method>,
    /// What it asks by; may be given several times [default at creation: client-credentials, of a public client
    /// token-exchange]
    #[arg(long, value_name = "GRANT")]
    grant: Vec<Grant>,
    /// A resource server that it may have tokens for; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// A scope that it may have; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Whether its tokens are bound to a key by DPoP in any case
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    requires_dpop: Option<bool>,
    /// Whether its tokens are bound to the certificate of its connection in any case
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    requires_certificate: Option<bool>,
    #[command(flatten)]
    tls_subject: TlsSubjectArgs,
    /// Where its public keys are, beside those that are uploaded
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
}

/// Whose certificate is its own, for tls-client-auth (RFC 8705 §2.1.2).
#[derive(Args, Debug)]
#[group(multiple = false)]
struct TlsSubjectArgs {
    /// tls-client-auth takes the certificate of this subject (RFC 4514), such as "CN=shop,O=Example"
    #[arg(long, value_name = "DN")]
    tls_subject_dn: Option<String>,
    /// tls-client-auth takes the certificate with this DNS name
    #[arg(long, value_name = "NAME")]
    tls_dns: Option<String>,
    /// tls-client-auth takes the certificate with this URI, such as a SPIFFE ID
    #[arg(long, value_name = "URI")]
    tls_uri: Option<String>,
    /// tls-client-auth takes the certificate with this IP address
    #[arg(long, value_name = "ADDRESS")]
    tls_ip: Option<IpAddr>,
    /// tls-client-auth takes the certificate with this mail address
    #[arg(long, value_name = "ADDRESS")]
    tls_email: Option<String>,
}

/// As [`ClientAuthMethod`], without `none`, which is a public client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Its secret, in Authorization: Basic
    ClientSecretBasic,
    /// Its secret, in the form
    ClientSecretPost,
    /// An assertion that its key signs (RFC 7523)
    PrivateKeyJwt,
    /// A certificate of one of its keys (RFC 8705)
    SelfSignedTlsClientAuth,
    /// A certificate that leads to a trust anchor of the listener (RFC 8705)
    TlsClientAuth,
}

/// As [`GrantType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Grant {
    /// In its own name (RFC 6749)
    ClientCredentials,
    /// In a service account's name, by an assertion (RFC 7523)
    JwtBearer,
    /// Again, by a refresh token (RFC 6749)
    RefreshToken,
    /// For a token of an external signer (RFC 8693)
    TokenExchange,
}

impl From<Method> for ClientAuthMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::ClientSecretBasic => Self::ClientSecretBasic,
            Method::ClientSecretPost => Self::ClientSecretPost,
            Method::PrivateKeyJwt => Self::PrivateKeyJwt,
            Method::SelfSignedTlsClientAuth => Self::SelfSignedTlsClientAuth,
            Method::TlsClientAuth => Self::TlsClientAuth,
        }
    }
}

impl From<Grant> for GrantType {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::ClientCredentials => Self::ClientCredentials,
            Grant::JwtBearer => Self::JwtBearer,
            Grant::RefreshToken => Self::RefreshToken,
            Grant::TokenExchange => Self::TokenExchange,
        }
    }
}

impl Kind for ClientArgs {
    type Of = RealmOf;

    const NAME: &'static str = "ID";
    const NAMED: &'static str = "Its client_id";
    const MEMBER: &'static str = "id";
    const CREATED: &'static str = "\
Examples:
  keyward authority resource-server create https://api.example --realm main --scope read ...
  keyward authority client create shop --realm main --audience https://api.example --scope read ...
  (umask 077; keyward authority secret create --realm main --client shop ... > shop.secret)
  keyward authority client create ledger --realm main --method tls-client-auth --tls-dns ledger.example ...
  keyward authority client create robot --realm main --method private-key-jwt --jwks-uri https://robot.example/jwks ...

A client needs a secret (`secret create`) or a key (`key upload`, `key generate`) before it can do anything.";
    const CHANGED: &'static str = "\
Examples:
  keyward authority client change shop --realm main --add scope=write --remove scope=admin ...
  keyward authority client change shop --realm main --method private-key-jwt --unset tls_subject ...
  keyward authority client change shop --realm main --grant client-credentials --grant token-exchange ...

A flag of a list says the whole list; --add and --remove take one value of it.";
    const COLUMNS: &'static [Column] = &[
        Column("id", "/id"),
        Column("enabled", "/enabled"),
        Column("kind", "/kind"),
        Column("authenticates by", "/auth_methods"),
        Column("scopes", "/scopes"),
        Column("audiences", "/audiences"),
    ];
    const LISTS: &'static [(&'static str, &'static str)] = &[
        ("audience", "/audiences"),
        ("grant", "/grant_types"),
        ("method", "/auth_methods"),
        ("scope", "/scopes"),
    ];

    fn collection(of: &RealmOf) -> Vec<&str> {
        of.all("clients")
    }

    fn fresh(&self, _: &RealmOf, id: &str) -> Result<Map<String, Value>, Failure> {
        let grant = match self.public {
            Some(true) => GrantType::TokenExchange,
            Some(false) | None => GrantType::ClientCredentials,
        };
        Ok(object(json!({
            "id": id,
            "enabled": true,
            "kind": "confidential",
            "auth_methods": [ClientAuthMethod::ClientSecretBasic],
            "grant_types": [grant],
        })))
    }

    fn members(&self) -> Map<String, Value> {
        let methods = self.method.iter().copied().map(ClientAuthMethod::from);
        let methods = match self.public {
            Some(true) if self.method.is_empty() => vec![ClientAuthMethod::None],
            _ => methods.collect(),
        };
        let grants = self.grant.iter().copied().map(GrantType::from).collect::<Vec<_>>();
        let members = Members::default()
            .with("description", self.description.as_deref())
            .with("kind", self.public.map(|is_public| if is_public { "public" } else { "confidential" }))
            .with("auth_methods", (!methods.is_empty()).then(|| json!(methods)))
            .with("grant_types", (!grants.is_empty()).then(|| json!(grants)))
            .with_list("audiences", &self.audience)
            .with_list("scopes", &self.scope)
            .with("requires_dpop", self.requires_dpop)
            .with("requires_certificate", self.requires_certificate)
            .with("tls_subject", self.tls_subject.value())
            .with("jwks_uri", self.jwks_uri.as_deref());
        members.0
    }

    fn value(flag: &str, text: &str) -> Result<Value, Failure> {
        let unknown = |_| Failure::Usage(format!("no {flag} is called {text:?}"));
        match flag {
            "grant" => body(&GrantType::from(Grant::from_str(text, false).map_err(unknown)?)),
            "method" => body(&ClientAuthMethod::from(Method::from_str(text, false).map_err(unknown)?)),
            _ => Ok(text.into()),
        }
    }
}

impl TlsSubjectArgs {
    /// One takes the place of another: a subject is of one sort.
    fn value(&self) -> Option<Value> {
        let sorts = [
            ("subject_dn", self.tls_subject_dn.clone()),
            ("dns", self.tls_dns.clone()),
            ("uri", self.tls_uri.clone()),
            ("ip", self.tls_ip.map(|address| address.to_string())),
            ("email", self.tls_email.clone()),
        ];
        let named = sorts.iter().any(|(_, value)| value.is_some());
        named.then(|| sorts.into_iter().map(|(sort, value)| (sort.to_owned(), Value::from(value))).collect())
    }
}
