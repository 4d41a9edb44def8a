//! A machine that has tokens in its own name.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// A machine that has tokens in its own name, by assertions that its key signs (RFC 7523 §2.1). Its keys are kept beside it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceAccount {
    /// `sub` of its tokens, and `iss` and `sub` of its assertions.
    pub id: String,
    /// What it is for, for people.
    #[serde(default)]
    pub description: String,
    /// Whether it is let in.
    pub enabled: bool,
    /// The resource servers that it may have tokens for, by audience.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The scopes that it may have.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where its keys are, beside those that are kept here, which count where one of each has the same `kid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

impl Kept for ServiceAccount {
    const KIND: Kind = Kind("service_account");

    fn id(&self) -> String {
        self.id.clone()
    }
}
