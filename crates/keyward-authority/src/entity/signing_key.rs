//! A key that a realm signs tokens with.

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::signing::KeyTimes;
use crate::storage::Kind;

/// A key that a realm signs tokens with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// `kid`: its RFC 7638 thumbprint.
    pub kid: String,
    /// What it signs with (RFC 7518 §3.1).
    pub algorithm: String,
    /// Its public half (RFC 7517), as it is published.
    pub jwk: serde_json::Value,
    /// When it was published, began to sign, ended to sign and was withdrawn.
    pub times: KeyTimes,
    /// When the X.509 certificate around it is over (RFC 7517 §4.7), in seconds since 1970; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper_not_after: Option<i64>,
    /// Its private half.
    pub private: SealedKey,
}

/// A private key that only a key store can open.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKey {
    /// Which key store made it: `local`.
    pub store: String,
    /// What it is sealed under, as that store calls it; for `local` the name of a master key. None where nobody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<String>,
    /// What that store makes of it, in base64url; for `local` a nonce and the PKCS#8 document in AES-256-GCM.
    pub sealed: String,
}

impl std::fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedKey({} …)", self.store)
    }
}

impl Kept for SigningKey {
    const KIND: Kind = Kind("signing_key");

    fn id(&self) -> String {
        self.kid.clone()
    }
}
