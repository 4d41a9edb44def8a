//! Verdicts remembered: a token seen before costs a look-up.

use std::hash::{Hash, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use quick_cache::sync::Cache;
use quick_cache::sync::DefaultLifecycle;
use quick_cache::{Equivalent, Weighter};
use zeroize::Zeroizing;

use crate::{Now, Verified};

/// A bounded, sharded memory of accepted tokens.
///
/// - The whole token is compared on every hit, so that a collision can never accept another one.
/// - Only accepted tokens are kept: junk evicts nothing.
/// - A hit counts only while the token's times and the key it was verified with still hold. A key that a
///   refresh removed takes its verdicts with it at once.
/// - The cache belongs to one configuration; a new one starts with an empty cache.
pub struct VerdictCache {
    entries: Cache<TokenKey, Verified, Octets, SeedableRandomState>,
}

impl VerdictCache {
    /// A cache of about `octets` of memory. `seed` keys its hash and must not be known to strangers.
    pub fn new(octets: u64, seed: u64) -> Self {
        // An entry is a token of about 1 KiB and its claims, so this many are expected to fit.
        let expected = usize::try_from(octets / 2048).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self { entries: Cache::with(expected, octets, Octets, hasher, DefaultLifecycle::default()) }
    }

    /// The verdict on `token` under the requirement with this number, where it is known and still holds.
    /// It allocates nothing.
    pub fn get(&self, now: Now, requirement: u32, token: &[u8]) -> Option<Verified> {
        let key = BorrowedKey { requirement, token };
        let verified = self.entries.get(&key)?;
        if verified.still_holds(now) {
            return Some(verified.remembered());
        }
        self.entries.remove(&key);
        None
    }

    /// Remembers that `token` was accepted. Where that is an introspection endpoint's word, which may be taken back,
    /// it is left to [`AnswerCache`](crate::introspection::AnswerCache).
    pub fn insert(&self, requirement: u32, token: &[u8], verified: Verified) {
        if !verified.can_be_remembered() {
            return;
        }
        let token = Zeroizing::new(Box::from(token));
        self.entries.insert(TokenKey { requirement, token }, verified);
    }

    /// How many verdicts are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Roughly how many octets of memory they take.
    pub fn octets(&self) -> u64 {
        self.entries.weight()
    }
}

impl std::fmt::Debug for VerdictCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerdictCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq)]
struct TokenKey {
    requirement: u32,
    token: Zeroizing<Box<[u8]>>,
}

struct BorrowedKey<'a> {
    requirement: u32,
    token: &'a [u8],
}

fn hash_key<H: Hasher>(requirement: u32, token: &[u8], state: &mut H) {
    state.write_u32(requirement);
    state.write(token);
}

impl Hash for TokenKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_key(self.requirement, &self.token, state);
    }
}

impl Hash for BorrowedKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_key(self.requirement, self.token, state);
    }
}

impl Equivalent<TokenKey> for BorrowedKey<'_> {
    fn equivalent(&self, key: &TokenKey) -> bool {
        self.requirement == key.requirement && *self.token == **key.token
    }
}

#[derive(Clone)]
struct Octets;

impl Weighter<TokenKey, Verified> for Octets {
    fn weight(&self, key: &TokenKey, verified: &Verified) -> u64 {
        (size_of::<TokenKey>() + key.token.len() + verified.weight()) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasherDefault;

    use super::*;

    /// Every key collides with every other.
    #[derive(Default)]
    struct OneHash;

    impl Hasher for OneHash {
        fn write(&mut self, _: &[u8]) {}

        fn finish(&self) -> u64 {
            0x7777_7777_7777_7777
        }
    }

    #[derive(Clone)]
    struct One;

    impl Weighter<TokenKey, u32> for One {
        fn weight(&self, _: &TokenKey, _: &u32) -> u64 {
            1
        }
    }

    #[test]
    fn tokens_whose_hashes_collide_stay_apart() {
        let hasher = BuildHasherDefault::<OneHash>::default();
        let cache = Cache::with(1000, 100_000, One, hasher, DefaultLifecycle::default());
        let token = |n: u32| format!("eyJ.{n}").into_bytes();
        for n in 0..200 {
            let key = TokenKey { requirement: n % 2, token: Zeroizing::new(token(n).into()) };
            cache.insert(key, n);
        }
        for n in 0..400 {
            let token = token(n);
            let get = |requirement| cache.get(&BorrowedKey { requirement, token: &token });
            assert_eq!(get(n % 2), (n < 200).then_some(n));
            assert_eq!(get(1 - n % 2), None, "the same token under another requirement");
        }
    }
}
