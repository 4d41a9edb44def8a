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
        self.jti.clone()
    }
}
