//! An access token that is good no more.

use serde::{Deserialize, Serialize};

use super::Kept;
use crate::storage::Kind;

/// An access token that was revoked before its time (RFC 7009).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedToken {
    /// `jti`.
    pub jti: String,
    /// When it is over anyway, in seconds since 1970.
    pub expires_at: i64,
}

impl Kept for RevokedToken {
    const KIND: Kind = Kind("revoked_token");

    fn id(&self) -> String {
        format!("{}/{}", Self::shard(&self.jti), self.jti)
    }
}

impl RevokedToken {
    /// The first character of a `jti`, by which they are remembered together: 64 parts, of which one is read again when a
    /// token is revoked.
    pub fn shard(jti: &str) -> &str {
        jti.char_indices().nth(1).map_or(jti, |(end, _)| jti.split_at(end).0)
    }
}
