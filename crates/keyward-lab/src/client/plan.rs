//! Clients as plans and commands write them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::Algorithm;
use crate::time::Time;

/// A client of an issuer. Its name is its `client_id`, or a service account's user id.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ClientPlan {
    /// What it is. Default: an application.
    #[serde(default)]
    pub kind: ClientKind,
    /// Its secret. Default: none, so that it authenticates itself with a key or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The keys that it signs assertions with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<ClientKeyPlan>,
}

/// What a client's keys are good for, as Zitadel tells them apart.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// Client authentication (`private_key_jwt`, RFC 7523 §2.2), and nothing else.
    #[default]
    Application,
    /// The JWT-bearer grant (RFC 7523 §2.1), and nothing else.
    ServiceAccount,
}

/// A key that an issuer knows a client by.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ClientKeyPlan {
    /// Its name in commands, and the `kid` of assertions.
    pub kid: String,
    /// What it signs with, where the lab makes it. Default RS256, as Zitadel's key files do.
    #[serde(default = "rs256")]
    pub algorithm: Algorithm,
    /// Its public half, where the private one is somebody else's. Default: the lab makes it and hands it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<PublicKeyPlan>,
    /// How long from now on it is good. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Time>,
    /// What is wrong with it.
    #[serde(default)]
    pub condition: KeyCondition,
}

/// A public key: RSA, EC or Ed25519.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PublicKeyPlan {
    /// A JWK, in JSON (RFC 7517).
    Jwk(String),
    /// A SubjectPublicKeyInfo in PEM (RFC 7468 §13).
    Pem(String),
}

/// How an issuer takes a client's key.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum KeyCondition {
    /// As it was disabled.
    Disabled,
    /// As if its time were over.
    Expired,
    /// As it should be.
    #[default]
    Good,
    /// As if it were not there yet: the provider's own tables are behind.
    NotProjected,
}

/// Whether an issuer knows a client.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ClientState {
    /// It knows it, and refuses it.
    Disabled,
    /// It knows it.
    #[default]
    Enabled,
    /// It never heard of it.
    Unknown,
}

/// How an issuer takes a client's assertions.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Assertions {
    /// For what they are worth.
    #[default]
    Judged,
    /// As if each had this wrong with it.
    Refused(Cause),
}

/// What an issuer is to change about a client.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ClientCommand {
    /// Whether it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ClientState>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ClientKind>,
    /// Its secret from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Further keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub register: Vec<ClientKeyPlan>,
    /// How its keys are taken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, KeyCondition>,
    /// How its assertions are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertions: Option<Assertions>,
}

/// What is wrong with an assertion.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its client is disabled.
    #[error("the client is disabled")]
    ClientDisabled,
    /// Its `exp` is over.
    #[error("the assertion has expired")]
    Expired,
    /// Its key is disabled.
    #[error("the key is disabled")]
    KeyDisabled,
    /// Its key's time is over.
    #[error("the key has expired")]
    KeyExpired,
    /// Its key is not there yet.
    #[error("the key is not known yet")]
    KeyNotProjected,
    /// It is no JWT with the claims of RFC 7523 §3.
    #[error("the assertion is malformed")]
    Malformed,
    /// It has no `kid`.
    #[error("the assertion has no kid")]
    NoKid,
    /// Its `nbf` or its `iat` is ahead.
    #[error("the assertion is not valid yet")]
    NotYetValid,
    /// It has been used before.
    #[error("the jti of the assertion was used before")]
    Replayed,
    /// Its key did not sign it.
    #[error("the signature of the assertion is wrong")]
    Signature,
    /// Nobody has that name.
    #[error("the client is not known")]
    UnknownClient,
    /// Its client has no such key.
    #[error("the key is not known")]
    UnknownKey,
    /// It is for somebody else.
    #[error("the audience of the assertion is wrong")]
    WrongAudience,
    /// Its `iss` and its `sub` are not both the client.
    #[error("the issuer of the assertion is wrong")]
    WrongIssuer,
    /// Its key is good for something else.
    #[error("the key is of the wrong kind")]
    WrongKind,
}

fn rs256() -> Algorithm {
    Algorithm::RS256
}
