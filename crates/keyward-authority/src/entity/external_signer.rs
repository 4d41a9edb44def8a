//! An issuer whose tokens may be exchanged for ours.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// An issuer whose tokens may be exchanged for ours (RFC 8693).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalSigner {
    /// Our name for it.
    pub name: String,
    /// What `iss` of its tokens says, to the letter.
    pub issuer: String,
    /// Whether its tokens are taken.
    pub enabled: bool,
    /// What `aud` of its tokens has to name.
    pub audience: String,
    /// Where its keys are.
    pub keys: SignerKeys,
    /// The claim that an identity is known by. Default `sub`.
    pub id_claim: String,
    /// The resource servers that those who are made just in time may have tokens for.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The scopes that those may have.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignerKeys {
    /// Where its discovery document says.
    Discovery,
    /// At this address.
    JwksUri(String),
}

impl Kept for ExternalSigner {
    const KIND: Kind = Kind("external_signer");

    fn id(&self) -> String {
        self.name.clone()
    }
}
