//! A JWK Set, read key by key (RFC 7517 §5).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::is_object;
use crate::jwk::RawJwk;
use crate::{UnusableKey, VerificationKey};

/// The keys of a set: those that can verify, and those that cannot with the reason.
///
/// One bad key never costs its neighbours. Keys that share a `kid` are all kept, in the set's order.
#[derive(Debug)]
pub struct JwkSet {
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedJwk>,
}

/// A key of the set that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedJwk {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Its `kid`, where it could be read.
    pub kid: Option<String>,
    /// Why it is skipped.
    pub reason: UnusableKey,
}

/// How large a set may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwkSetLimits {
    /// The most octets that are looked at.
    pub octets: usize,
    /// The most keys.
    pub keys: usize,
}

impl Default for JwkSetLimits {
    /// 512 KiB and 256 keys.
    fn default() -> Self {
        Self { octets: 512 * 1024, keys: 256 }
    }
}

/// Why a text is no JWK Set at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkSetError {
    /// Not a JSON object with an array `keys`.
    #[error("not a JSON object with an array \"keys\"")]
    Malformed,
    /// More keys than the limit.
    #[error("{keys} keys, over the limit of {limit}")]
    TooManyKeys {
        /// How many there are.
        keys: usize,
        /// The limit they were held against.
        limit: usize,
    },
    /// More octets than the limit.
    #[error("{octets} octets, over the limit of {limit}")]
    TooLarge {
        /// How many there are.
        octets: usize,
        /// The limit they were held against.
        limit: usize,
    },
}

#[derive(Deserialize)]
struct RawJwkSet<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl JwkSet {
    /// Reads a set.
    ///
    /// # Errors
    /// [`JwkSetError`] where there is no set. A set without a usable key is no error here: the caller
    /// decides what that means.
    pub fn parse(json: &[u8], limits: JwkSetLimits) -> Result<Self, JwkSetError> {
        if json.len() > limits.octets {
            return Err(JwkSetError::TooLarge { octets: json.len(), limit: limits.octets });
        }
        if !is_object(json) {
            return Err(JwkSetError::Malformed);
        }
        let raw: RawJwkSet<'_> = serde_json::from_slice(json).map_err(|_| JwkSetError::Malformed)?;
        if raw.keys.len() > limits.keys {
            return Err(JwkSetError::TooManyKeys { keys: raw.keys.len(), limit: limits.keys });
        }
        let mut set = Self { keys: Vec::new(), skipped: Vec::new() };
        for (index, jwk) in raw.keys.into_iter().enumerate() {
            set.take(index, jwk.get().as_bytes());
        }
        Ok(set)
    }

    fn take(&mut self, index: usize, json: &[u8]) {
        let mut kid = None;
        let key = RawJwk::parse(json).and_then(|jwk| {
            kid = jwk.kid.as_deref().map(str::to_owned);
            VerificationKey::from_raw(&jwk)
        });
        match key {
            Ok(key) => self.keys.push(key),
            Err(reason) => self.skipped.push(SkippedJwk { index, kid, reason }),
        }
    }

    /// The usable keys, in the set's order.
    pub fn keys(&self) -> &[VerificationKey] {
        &self.keys
    }

    /// The keys that were skipped, in the set's order.
    pub fn skipped(&self) -> &[SkippedJwk] {
        &self.skipped
    }

    /// The usable and the skipped keys, owned.
    pub fn into_parts(self) -> (Vec<VerificationKey>, Vec<SkippedJwk>) {
        (self.keys, self.skipped)
    }
}
