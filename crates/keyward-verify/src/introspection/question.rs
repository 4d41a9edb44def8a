//! A question to an endpoint about one token.

use std::fmt;

use crate::Now;
use crate::binding::Confirmation;

/// A token that [`AnswerCache`](super::AnswerCache) knows nothing of. Where somebody is asked about it,
/// [`AnswerCache::question`](super::AnswerCache::question) makes a [`Question`] of it.
#[derive(Clone, Copy)]
pub struct Unasked<'a> {
    pub(super) came_up: Now,
    pub(super) token: &'a [u8],
    /// Where it had to be made already.
    pub(super) hash: Option<TokenHash>,
    pub(super) generation: u64,
}

/// A token as it is asked about. Only the cache makes one, and an answer goes back to it with the question that it
/// answers.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub(super) asked: Now,
    pub(super) flight: Flight,
    /// What the token says that it is bound to. The endpoint need not repeat it for it to count.
    pub(super) claimed: Option<Confirmation>,
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

impl<'a> Unasked<'a> {
    /// The token.
    pub fn token(&self) -> &'a [u8] {
        self.token
    }
}

impl fmt::Debug for Unasked<'_> {
    /// Leaves out the token and its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unasked").field("came_up", &self.came_up).finish_non_exhaustive()
    }
}

impl fmt::Debug for Flight {
    /// Leaves out the hash, which is for this process alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("generation", &self.generation).finish_non_exhaustive()
    }
}
