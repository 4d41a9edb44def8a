//! An access token that was read.

use bytes::Bytes;

use super::{AccessToken, Confirmation};
use crate::wiped::Wiped;

/// What an access token says, and what introspection says of it while it is good.
#[derive(Debug)]
pub(super) struct ReadToken {
    pub(super) claims: AccessToken<'static>,
    /// In JSON (RFC 7662 §2.2).
    pub(super) said: Bytes,
}

impl ReadToken {
    /// By what we signed or kept; none where that is not what this version writes.
    pub(super) fn of(payload: &[u8]) -> Option<Self> {
        let claims = AccessToken::parse(payload)?.into_owned();
        // What we signed or kept is an object with members, in the one spelling that we write.
        let members = payload.strip_prefix(b"{")?;
        let token_type = Confirmation::token_type(claims.cnf.as_ref());
        let head = format!(r#"{{"active":true,"token_type":"{token_type}","#);
        let said = Wiped::new([head.as_bytes(), members].concat());
        Some(Self { claims, said: Bytes::from_owner(said) })
    }

    /// How many octets it takes, about. The tree of `act` takes some times its text.
    pub(super) fn octets(&self) -> usize {
        const CLAIMS_TO_TEXT: usize = 8;
        let claims = if self.claims.act.is_some() { CLAIMS_TO_TEXT } else { 1 } * self.said.len();
        size_of::<Self>() + self.said.len() + claims
    }
}
