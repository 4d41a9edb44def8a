//! Who takes tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// Who takes tokens: what stands in `aud`, and is asked for by `resource` (RFC 8707).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceServer {
    /// What stands in `aud`.
    pub audience: String,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
    /// Whether tokens for it are issued.
    pub enabled: bool,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What its tokens look like.
    pub token_format: TokenFormat,
    /// How long its tokens are good, in seconds; none for the realm's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_lifetime: Option<u64>,
    /// What its tokens are signed with; none for the realm's first algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// The client that may ask about its tokens at the introspection endpoint, beside those that have `introspect` among
    /// their scopes; none for nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introspected_by: Option<String>,
}

/// What an access token looks like.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A JWT (RFC 9068).
    Jwt,
    /// Nothing that can be read: only introspection tells.
    Opaque,
}

impl Kept for ResourceServer {
    const KIND: Kind = Kind("resource_server");

    fn id(&self) -> String {
        self.audience.clone()
    }
}
