//! What a lab is made of when it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A lab: its issuers, by name.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct LabPlan {
    /// The issuers.
    pub issuer: BTreeMap<String, IssuerPlan>,
}

/// One issuer as it starts: well, and with keys.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct IssuerPlan {
    /// Whether it is reached by https, with a certificate of the lab's own authority. Default: http.
    #[serde(default)]
    pub tls: bool,
    /// Its keys, all published; the first one signs. Default: one ES256 key with the kid `key-1`.
    #[serde(default)]
    pub keys: Vec<KeyPlan>,
    /// `Cache-Control` of its JWK Set, such as `max-age=300`. Default: none is sent.
    #[serde(default)]
    pub cache_control: Option<String>,
    /// How long the tokens of its token endpoint live. Default 300 s.
    #[serde(default)]
    pub token_lifetime: Option<Time>,
    /// `aud` of its tokens. Default `api`.
    #[serde(default)]
    pub audience: Option<String>,
    /// A recording ([`crate::exchange`]) whose answers its discovery and its JWK Set give in their time, with its own
    /// addresses in place of the provider's. Default: it answers by itself.
    #[serde(default)]
    pub replay: Option<PathBuf>,
}

/// A key.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct KeyPlan {
    /// Its name in commands, and its `kid` unless that is left out.
    pub kid: String,
    /// What it signs with.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Whether its JWK and its tokens are without `kid`. Default: they have it.
    #[serde(default)]
    pub nameless: bool,
    /// An X.509 wrapper in `x5c`, self-signed: how long from now it is valid. A second passed is an expired one.
    #[serde(default)]
    pub wrapper_lifetime: Option<Time>,
}

/// The signature algorithms of RFC 7518 and RFC 8037 that the lab's keys use.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the RFCs' names")]
pub enum Algorithm {
    #[default]
    ES256,
    ES384,
    ES512,
    EdDSA,
    PS256,
    PS384,
    PS512,
    RS256,
    RS384,
    RS512,
}

impl KeyPlan {
    /// An ES256 key of this name.
    pub fn named(kid: impl Into<String>) -> Self {
        Self { kid: kid.into(), algorithm: Algorithm::default(), nameless: false, wrapper_lifetime: None }
    }
}

impl Algorithm {
    /// The name in `alg`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
            Self::EdDSA => "EdDSA",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
        }
    }
}
