//! A secret of a client.

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::storage::Kind;

/// A secret of a client. There may be several, so that one can take another's place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Whose: `client_id`.
    pub client: String,
    /// Which of its secrets.
    pub name: String,
    /// Its argon2id hash, in PHC's string format. The secret itself was shown once and is not kept.
    pub hash: String,
    /// Whether it is taken.
    pub enabled: bool,
    /// Until when, in seconds since 1970; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// When it was made, in seconds since 1970.
    pub added_at: i64,
}

impl Kept for Secret {
    const KIND: Kind = Kind("secret");

    fn id(&self) -> String {
        format!("{}/{}", self.client, self.name)
    }
}
