//! An issuer of its own.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kept;
use crate::storage::Kind;

/// An issuer of its own: its keys, clients and tokens are nobody else's. Times are in seconds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Realm {
    /// What stands in its address: `https://host/realms/NAME`.
    pub name: String,
    /// Whether it answers.
    pub enabled: bool,
    /// How long an access token is good, unless its resource server says otherwise. Default 300.
    pub access_token_lifetime: u64,
    /// How long a refresh token is good after its last use. Default 86,400.
    pub refresh_token_lifetime: u64,
    /// Whether an external signer's subject that nobody knows is made an identity at its first exchange. Default not.
    pub just_in_time: bool,
    /// How its signing keys come and go.
    pub rotation: RotationSettings,
}

/// How signing keys come and go. Times are in seconds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationSettings {
    /// What it signs with (RFC 7518 §3.1, RFC 8037): `RS256`, `PS256`, `ES256` or `EdDSA`. The first is used unless a resource
    /// server wants another.
    pub algorithms: Vec<String>,
    /// How long a key is published before it signs: longer than any verifier keeps an old key set. Default 7200.
    pub publish_for: u64,
    /// How long a key signs. Default 30 days.
    pub sign_for: u64,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self { algorithms: vec!["ES256".to_owned()], publish_for: 7200, sign_for: 30 * 86_400 }
    }
}

impl Realm {
    /// A realm with the defaults.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            enabled: true,
            access_token_lifetime: 300,
            refresh_token_lifetime: 86_400,
            just_in_time: false,
            rotation: RotationSettings::default(),
        }
    }
}

impl Kept for Realm {
    const KIND: Kind = Kind("realm");

    fn id(&self) -> String {
        self.name.clone()
    }
}
