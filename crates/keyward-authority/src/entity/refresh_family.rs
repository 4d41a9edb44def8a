//! Refresh tokens that came out of one another.

use serde::{Deserialize, Serialize};

use super::{Kept, SubjectType};
use crate::storage::Kind;

/// Refresh tokens that came out of one another: only the last is good, and the use of an earlier one ends them all (RFC 9700
/// §4.14.2).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshFamily {
    /// Which: the SHA-256 of the first half of each of its tokens, in base64url. So nobody who only sees it can use, or end,
    /// anything.
    pub id: String,
    /// Whose they are: `client_id`.
    pub client: String,
    /// `sub` of their access tokens.
    pub subject: String,
    /// What that is.
    #[serde(default)]
    pub subject_type: SubjectType,
    /// What they were granted for.
    pub audiences: Vec<String>,
    /// What they were granted.
    pub scopes: Vec<String>,
    /// The SHA-256 of the last one, in base64url.
    pub current: String,
    /// How many there have been.
    pub generation: u64,
    /// How they are bound: `cnf` of RFC 7800; none where they are not, which are those of clients that authenticate themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<serde_json::Value>,
    /// Who acts for the subject: `act` of their access tokens (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<serde_json::Value>,
    /// When the first one was issued, in seconds since 1970.
    #[serde(default)]
    pub began_at: i64,
    /// Until when the last one is good, in seconds since 1970.
    pub expires_at: i64,
    /// Whether they are ended: by their client, by somebody who used an earlier one, or by an operator.
    pub revoked: bool,
}

impl Kept for RefreshFamily {
    const KIND: Kind = Kind("refresh_family");

    fn id(&self) -> String {
        Self::id_of(&self.client, &self.id)
    }
}

impl RefreshFamily {
    /// The name of a client's family: it goes where the client goes.
    pub fn id_of(client: &str, family: &str) -> String {
        format!("{client}/{family}")
    }
}
