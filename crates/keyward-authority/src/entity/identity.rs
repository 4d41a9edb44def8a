//! Somebody whom an external signer vouches for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// Somebody whom an external signer vouches for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Our name for the signer.
    pub signer: String,
    /// The signer's name for them.
    pub external_id: String,
    /// `sub` of their tokens.
    pub subject: String,
    /// Whether they are let in.
    pub enabled: bool,
    /// Whether they were made at their first exchange.
    pub just_in_time: bool,
    /// The resource servers that they may have tokens for, by audience.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The scopes that they may have.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Kept for Identity {
    const KIND: Kind = Kind("identity");

    fn id(&self) -> String {
        Self::id_of(&self.signer, &self.external_id)
    }
}

impl Identity {
    /// The name of whom `signer` calls `external_id`.
    pub fn id_of(signer: &str, external_id: &str) -> String {
        format!("{signer}/{external_id}")
    }
}
