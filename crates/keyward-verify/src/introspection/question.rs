//! A question to an endpoint about one token.

use std::fmt;

use crate::Now;

/// A token that [`AnswerCache`](super::AnswerCache) knows nothing of, as it is asked about. Only the cache makes
/// one, and an answer goes back to it with the question that it answers.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub(super) asked: Now,
    pub(super) flight: Flight,
}

/// What a call is about: two questions of the same flight may share one.
///
/// They are about the same token, and nothing was taken back between them: whoever asks after a revocation must not
/// be told what was said before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flight {
    pub(super) token: TokenHash,
    pub(super) generation: u64,
}

/// A keyed hash of a token.
pub(super) type TokenHash = [u8; 32];

impl Question {
    /// What calls about the same token have in common.
    pub fn flight(&self) -> Flight {
        self.flight
    }

    /// When it came up: what an endpoint says cannot be older, and is remembered from then on.
    pub fn asked(&self) -> Now {
        self.asked
    }
}

impl fmt::Debug for Flight {
    /// Leaves out the hash, which is for this process alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("generation", &self.generation).finish_non_exhaustive()
    }
}
