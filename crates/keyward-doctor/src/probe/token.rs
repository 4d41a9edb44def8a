//! Looks at the token that was handed in.

use keyward::Now;

use super::FetchedKeySet;
use super::target::Target;
use crate::facts::{GatewayFacts, TokenFacts};

/// How `token` relates to what is configured and published.
pub(super) fn token(
    token: &[u8],
    _target: &Target,
    _key_sets: &[FetchedKeySet],
    _gateway: Option<&GatewayFacts>,
    _now: Now,
) -> TokenFacts {
    TokenFacts { octets: token.len(), ..TokenFacts::default() }
}
