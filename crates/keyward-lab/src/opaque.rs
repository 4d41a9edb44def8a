//! Opaque tokens: what they stand for is known to their issuer alone.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

/// Opaque tokens that an issuer remembers; the oldest are forgotten, which makes them inactive.
const LIMIT: usize = 100_000;

/// The opaque tokens of an issuer.
#[derive(Debug, Default)]
pub(crate) struct OpaqueTokens {
    claims: BTreeMap<String, Value>,
    oldest_first: VecDeque<String>,
}

impl OpaqueTokens {
    pub(crate) fn remember(&mut self, token: String, claims: Value) {
        if self.oldest_first.len() == LIMIT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.claims.remove(&oldest);
        }
        self.oldest_first.push_back(token.clone());
        self.claims.insert(token, claims);
    }

    pub(crate) fn claims(&self, token: &str) -> Option<&Value> {
        self.claims.get(token)
    }
}
