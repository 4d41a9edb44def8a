//! The configuration as it is written. Nothing is looked up or checked here but names and types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use keyward::binding::Demanded;
use keyward::{GivenUp, Strategy};
pub(super) use keyward_server::config::Time;
use keyward_server::logs::{LogFormat, LogLevel};
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

use super::raw_gateway::RawGateway;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    #[serde(default)]
    pub(super) gateway: RawGateway,
    #[serde(default)]
    pub(super) log: RawLog,
    #[serde(default)]
    pub(super) verdict_cache: RawVerdictCache,
    #[serde(default)]
    pub(super) snapshot: RawSnapshot,
    #[serde(default)]
    pub(super) recorder: RawRecorder,
    pub(super) traces: Option<RawTraces>,
    #[serde(default)]
    pub(super) issuer: Vec<Spanned<RawIssuer>>,
    #[serde(default)]
    pub(super) route: Vec<RawRoute>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) format: Option<LogFormat>,
    pub(super) level: Option<LogLevel>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVerdictCache {
    pub(super) octets: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSnapshot {
    pub(super) folder: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRecorder {
    pub(super) capacity: Option<Spanned<usize>>,
    pub(super) folder: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTraces {
    pub(super) endpoint: Spanned<String>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) headers_file: Option<Spanned<PathBuf>>,
    pub(super) sampling_ratio: Option<Spanned<f64>>,
    pub(super) follow_parents: Option<bool>,
    pub(super) service_name: Option<String>,
    pub(super) timeout: Option<Spanned<Time>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    pub(super) name: Spanned<String>,
    pub(super) issuer: Spanned<String>,
    pub(super) discovery: Option<Spanned<bool>>,
    pub(super) jwks_uri: Option<Spanned<String>>,
    pub(super) jwks_file: Option<Spanned<PathBuf>>,
    pub(super) certificate_file: Option<Spanned<PathBuf>>,
    pub(super) certificate_kid: Option<Spanned<String>>,
    pub(super) hmac_secret_file: Option<Spanned<PathBuf>>,
    pub(super) algorithms: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub(super) audiences: Vec<String>,
    pub(super) token_types: Option<Spanned<Vec<String>>>,
    pub(super) leeway: Option<Time>,
    pub(super) token_octets: Option<Spanned<usize>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) allow_hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) deny: Vec<String>,
    #[serde(default)]
    pub(super) key_set: RawKeySet,
    pub(super) wrapper: Option<RawWrapper>,
    pub(super) strategy: Option<Spanned<RawStrategy>>,
    pub(super) introspection: Option<Spanned<RawIntrospection>>,
    pub(super) fallback: Option<Spanned<RawFallback>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeySet {
    pub(super) ttl: Option<Spanned<Time>>,
    pub(super) stale_limit: Option<Spanned<Time>>,
    pub(super) timeout: Option<Spanned<Time>>,
    pub(super) retries: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWrapper {
    pub(super) policy: Option<Spanned<RawWrapperPolicy>>,
    pub(super) anchors_file: Option<Spanned<PathBuf>>,
}

/// What the certificates around keys mean for tokens, as [`keyward::WrapperPolicy`] has it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawWrapperPolicy {
    Enforce,
    Ignore,
    Warn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIntrospection {
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) timeout: Option<Spanned<Time>>,
    pub(super) concurrency: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) hedge: bool,
    pub(super) answers: Option<Spanned<RawAnswers>>,
    pub(super) audience: Option<Spanned<String>>,
    pub(super) token_types: Option<Spanned<Vec<String>>>,
    pub(super) active_for: Option<Spanned<Time>>,
    pub(super) inactive_for: Option<Spanned<Time>>,
    pub(super) cache_octets: Option<u64>,
    pub(super) credential: Option<Spanned<RawCredential>>,
}

/// Which way tokens are decided, as [`keyward::Strategy`] has it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawStrategy {
    Both,
    Introspection,
    IntrospectionThenKeySet,
    KeySet,
    KeySetThenIntrospection,
}

/// Which answers are believed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAnswers {
    Plain,
    PlainOrSigned,
    Signed,
}

/// Which of its members belong together is looked at when it is resolved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCredential {
    pub(super) method: Option<Spanned<RawMethod>>,
    pub(super) client_id: Option<Spanned<String>>,
    pub(super) secret_file: Option<Spanned<PathBuf>>,
    pub(super) key_file: Option<Spanned<PathBuf>>,
    pub(super) key_id: Option<Spanned<String>>,
    pub(super) algorithm: Option<Spanned<String>>,
    pub(super) key_password_file: Option<Spanned<PathBuf>>,
    pub(super) assertion_audience: Option<Spanned<String>>,
    pub(super) certificate_file: Option<Spanned<PathBuf>>,
    pub(super) token_file: Option<Spanned<PathBuf>>,
    pub(super) grant: Option<Spanned<RawGrant>>,
    pub(super) token_endpoint: Option<Spanned<String>>,
    pub(super) scope: Option<Spanned<String>>,
    pub(super) subject: Option<Spanned<String>>,
    pub(super) client_authentication: Option<Spanned<RawClientMethod>>,
}

/// How a request shows who we are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMethod {
    Bearer,
    BearerFile,
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    TlsClientAuth,
}

/// How a client authenticates where it obtains a bearer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawClientMethod {
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    TlsClientAuth,
}

/// By what a bearer is obtained.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawGrant {
    ClientCredentials,
    JwtBearer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFallback {
    #[serde(default)]
    pub(super) gives_up: Vec<Spanned<RawGivenUp>>,
    pub(super) younger_than: Option<Spanned<Time>>,
    pub(super) routes: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) header: Option<Spanned<String>>,
}

/// What a fallback goes without, as [`keyward::GivenUp`] has it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawGivenUp {
    Revocation,
    Signature,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoute {
    pub(super) name: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) paths: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) methods: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) access: Access,
    #[serde(default)]
    pub(super) issuers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) audiences: Vec<String>,
    #[serde(default)]
    pub(super) scopes: Vec<Spanned<String>>,
    pub(super) cookie: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) claims: BTreeMap<Spanned<String>, Spanned<RawClaim>>,
    #[serde(default)]
    pub(super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    pub(super) strategy: Option<Spanned<RawStrategy>>,
    pub(super) opaque_tokens: Option<Spanned<String>>,
    pub(super) binding: Option<Spanned<RawBinding>>,
}

/// What every token has to be bound to, as [`Demanded`] has it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawBinding {
    Any,
    Certificate,
    Dpop,
}

/// Who may pass a route.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Only a request with a good token.
    #[default]
    Required,
    /// A request with a good token, or with none.
    Optional,
    /// Every request; tokens are not looked at.
    Public,
}

/// `true`, or a list of values of which one must be there.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawClaim {
    Present(bool),
    OneOf(Vec<serde_json::Value>),
    /// What is neither, so that the error can say what belongs there.
    Other(IgnoredAny),
}

impl From<RawStrategy> for Strategy {
    fn from(raw: RawStrategy) -> Self {
        match raw {
            RawStrategy::Both => Self::Both,
            RawStrategy::Introspection => Self::Introspection,
            RawStrategy::IntrospectionThenKeySet => Self::IntrospectionThenKeySet,
            RawStrategy::KeySet => Self::KeySet,
            RawStrategy::KeySetThenIntrospection => Self::KeySetThenIntrospection,
        }
    }
}

impl From<RawBinding> for Demanded {
    fn from(raw: RawBinding) -> Self {
        match raw {
            RawBinding::Any => Self::Any,
            RawBinding::Certificate => Self::Certificate,
            RawBinding::Dpop => Self::Dpop,
        }
    }
}

impl From<RawGivenUp> for GivenUp {
    fn from(raw: RawGivenUp) -> Self {
        match raw {
            RawGivenUp::Revocation => Self::Revocation,
            RawGivenUp::Signature => Self::Signature,
        }
    }
}
