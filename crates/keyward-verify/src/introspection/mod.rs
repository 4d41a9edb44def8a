//! What an introspection endpoint says of a token (RFC 7662), believed no further than a token's own claims.
//!
//! An answer goes this way, and no other leads to a [`Verified`](crate::Verified):
//!
//! 1. [`AnswerCache::look`] knows the token, or makes a [`Question`] of it.
//! 2. Whoever does the I/O asks the endpoint, and hands what it sent to [`Endpoint::read`].
//! 3. An [`Active`] answer passes [`Active::check`], for each route and each time anew.

mod active;
mod answer;
mod breaker;
mod cache;
mod failure;
mod members;
mod question;
mod signed;

pub use active::Active;
pub use answer::{
    Answer, AnswerError, AnswerForm, Endpoint, MalformedAnswer, Received, SignedAnswerError, Unread,
};
pub use breaker::{Breaker, BreakerSettings, BreakerState, CallOutcome, Permission, Ticket, Transition};
pub use cache::{AnswerCache, AnswerCacheSettings, Forget, Found};
pub use failure::Failure;
pub use question::{Flight, Question, Unasked};
