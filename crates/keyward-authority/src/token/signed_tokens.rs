//! Tokens whose signatures were checked before.
//!
//! That a key signed a token is a fact which nothing changes, so a check is done once. Whether that key is still one of its realm's,
//! and whether the token is good, is decided each time.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use keyward::entropy;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, Weighter};

use super::read_token::ReadToken;
use crate::signing::SignedWith;
use crate::wiped::Wiped;

/// How many octets all of them take at most, about.
const OCTETS: u64 = 32 * 1024 * 1024;

/// What is expected of one, for the size of the table.
const EXPECTED_OCTETS: u64 = 2048;

/// Access tokens that a key of ours signed: nobody else puts anything in here, and so junk drives nothing out.
pub(super) struct SignedTokens {
    known: Cache<Text, Signed, Octets, SeedableRandomState>,
}

#[derive(Clone)]
struct Signed {
    with: SignedWith,
    token: Arc<ReadToken>,
}

/// The whole token, which is compared: a hash that collides lets no other one in. It is wiped when it leaves.
#[derive(Clone, Eq, PartialEq)]
struct Text(Wiped<Vec<u8>>);

struct BorrowedText<'a>(&'a [u8]);

impl SignedTokens {
    /// What a token says that was checked before, where `publishes` the key that it was checked with.
    pub(super) fn find(
        &self,
        text: &str,
        publishes: impl FnOnce(&SignedWith) -> bool,
    ) -> Option<Arc<ReadToken>> {
        let text = BorrowedText(text.as_bytes());
        let Signed { with, token } = self.known.get(&text)?;
        if publishes(&with) {
            return Some(token);
        }
        self.known.remove(&text);
        None
    }

    /// Remembers what was checked.
    pub(super) fn insert(&self, text: &str, with: SignedWith, token: Arc<ReadToken>) {
        self.known.insert(Text(Wiped::new(text.as_bytes().into())), Signed { with, token });
    }
}

impl Default for SignedTokens {
    fn default() -> Self {
        let hasher = SeedableRandomState::with_seed(entropy::seed(), SharedSeed::global_fixed());
        let expected = usize::try_from(OCTETS / EXPECTED_OCTETS).unwrap_or(usize::MAX);
        Self { known: Cache::with(expected, OCTETS, Octets, hasher, DefaultLifecycle::default()) }
    }
}

impl fmt::Debug for SignedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedTokens").field("len", &self.known.len()).finish_non_exhaustive()
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl Hash for BorrowedText<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}

impl Equivalent<Text> for BorrowedText<'_> {
    fn equivalent(&self, key: &Text) -> bool {
        *self.0 == **key.0
    }
}

#[derive(Clone)]
struct Octets;

impl Weighter<Text, Signed> for Octets {
    fn weight(&self, key: &Text, signed: &Signed) -> u64 {
        (size_of::<(Text, Signed)>() + key.0.len() + signed.token.octets()) as u64
    }
}
