//! A public key that a client or a service account is known by.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// A public key that a client or a service account signs assertions with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Whose: `client/ID` or `service_account/ID`.
    pub owner: String,
    /// `kid` of its assertions.
    pub kid: String,
    /// The public key (RFC 7517).
    pub jwk: serde_json::Value,
    /// Whether it is taken.
    pub enabled: bool,
    /// Until when, in seconds since 1970; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// When it was added, in seconds since 1970.
    pub added_at: i64,
    /// Where it came from.
    pub origin: KeyOrigin,
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    /// We made it; the private half was shown once and is not kept.
    Generated,
    /// Its owner made it.
    Uploaded,
}

impl Kept for Key {
    const KIND: Kind = Kind("key");

    fn id(&self) -> String {
        format!("{}/{}", self.owner, self.kid)
    }
}
