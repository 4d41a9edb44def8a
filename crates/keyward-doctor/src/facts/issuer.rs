//! One issuer: what we have configured, and what it says itself.

use serde::{Deserialize, Serialize};

use super::{ClockFacts, IntrospectionFacts, KeySetFacts, Reach};

/// One issuer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerFacts {
    /// What we have configured.
    pub configured: Configured,
    /// What its discovery document says; none where there was no reason to look, or nothing to look with.
    #[serde(default)]
    pub discovery: Option<DiscoveryFacts>,
    /// Its key set; none where it was not looked at.
    #[serde(default)]
    pub key_set: Option<KeySetFacts>,
    /// Its introspection endpoint and our credential there; none where none is configured.
    #[serde(default)]
    pub introspection: Option<IntrospectionFacts>,
    /// Its clock; none where no answer had a `Date`.
    #[serde(default)]
    pub clock: Option<ClockFacts>,
}

/// What is configured for an issuer, or was given on the command line, defaults filled in.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Configured {
    /// Our name for it.
    pub name: String,
    /// What `iss` has to say.
    pub issuer: String,
    /// Whether a configuration file says all this: then a gateway that runs on it is held against it.
    #[serde(default)]
    pub from_file: bool,
    /// Where its keys are, where that is configured: an address without what may hold credentials, or a file.
    #[serde(default)]
    pub key_source: Option<String>,
    /// Whether its keys are found by discovery.
    pub discovers: bool,
    /// `key_set`, `introspection`, `introspection_then_key_set`, `key_set_then_introspection` or `both`.
    pub strategy: String,
    /// Whether the strategy's second way may decide what the first could not.
    pub has_fallback: bool,
    /// Where its introspection endpoint is, where that is configured.
    #[serde(default)]
    pub introspection_endpoint: Option<String>,
    /// The audiences of which `aud` has to name one, over all routes; empty where `aud` is not looked at.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The accepted values of `typ`.
    #[serde(default)]
    pub token_types: Vec<String>,
    /// The accepted algorithms.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Denied key ids.
    #[serde(default)]
    pub denied_kids: Vec<String>,
    /// Hosts that keys may come from beside the issuer's own.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
    /// By how much clocks may differ, in seconds.
    pub leeway_s: u64,
    /// How long a fetched key set is fresh, in seconds.
    pub ttl_s: f64,
    /// How long it may verify while no newer one can be had, in seconds.
    pub stale_limit_s: f64,
    /// `ignore`, `warn` or `enforce`.
    pub wrapper_policy: String,
}

/// An issuer's metadata (OpenID Connect Discovery §4, RFC 8414).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryFacts {
    /// How the document was reached.
    pub reach: Reach,
    /// `issuer`, to the letter; none where the document cannot be read.
    pub issuer: Option<String>,
    /// `jwks_uri`.
    pub jwks_uri: Option<String>,
    /// `introspection_endpoint`.
    pub introspection_endpoint: Option<String>,
    /// `token_endpoint`.
    pub token_endpoint: Option<String>,
    /// `introspection_endpoint_auth_methods_supported`, or those of the token endpoint.
    #[serde(default)]
    pub auth_methods: Vec<String>,
    /// `id_token_signing_alg_values_supported`.
    #[serde(default)]
    pub signing_algorithms: Vec<String>,
}
