//! What a lab is made of when it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::client::ClientPlan;
use crate::command::AssertionAudience;
use crate::time::{FromNow, Time};

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
    /// Its clients beside `drill`, or in place of that, by name.
    #[serde(default)]
    pub client: BTreeMap<String, ClientPlan>,
    /// What assertions have to be for. Default: the issuer or the endpoint.
    #[serde(default)]
    pub assertion_audience: AssertionAudience,
    /// How it says no to clients. Default: as the RFCs have it.
    #[serde(default)]
    pub errors: ErrorStyle,
    /// Whether its answers of introspection are signed (RFC 9701). Default: where `Accept` names their type.
    #[serde(default)]
    pub signed_introspection: Option<bool>,
    /// A recording ([`crate::exchange`]) whose answers its discovery and its JWK Set give in their time, with its own
    /// addresses in place of the provider's. Default: it answers by itself.
    #[serde(default)]
    pub replay: Option<PathBuf>,
}

/// How an issuer says no to its clients.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ErrorStyle {
    /// By the error that fits (RFC 6749 §5.2, RFC 7523 §3), with a description of what is wrong with an assertion.
    #[default]
    Rfc,
    /// As Zitadel 2.64: an assertion of the JWT-bearer grant has to name its key, and whatever is wrong with it, the
    /// answer is 500 `server_error` with `Errors.Internal`. A secret of a client that has none is 400 `invalid_client`,
    /// and nothing is described.
    Zitadel,
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
    /// The X.509 certificate around it. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper: Option<WrapperPlan>,
}

/// An X.509 certificate around a key, as its JWK shows it in `x5c`, `x5t` and `x5t#S256` (RFC 7517 §4.7 to §4.9).
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct WrapperPlan {
    /// Its last second. Default: in 365 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<FromNow>,
    /// Its first second. Default: a day ago, or 365 days before `not_after` where that is earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<FromNow>,
    /// Who signed it. Default: its own key.
    #[serde(default)]
    pub signed_by: WrapperSigner,
    /// What is wrong with it beside its times. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<WrapperDefect>,
}

/// Who signs the certificate around a key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WrapperSigner {
    /// The lab's authority.
    Authority,
    /// The certificate's own key.
    #[default]
    Itself,
}

/// What can be wrong with the certificate around a key.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum WrapperDefect {
    /// `x5c` is no Base64.
    NoBase64,
    /// `x5c` is Base64 of something that is no certificate.
    NoCertificate,
    /// It is a certificate of another key.
    OtherKey,
    /// `x5t#S256` is the thumbprint of another certificate.
    OtherThumbprint,
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
        Self { kid: kid.into(), algorithm: Algorithm::default(), nameless: false, wrapper: None }
    }
}

impl Algorithm {
    /// Every one.
    pub(crate) const EACH: [Self; 10] = [
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
    ];

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
