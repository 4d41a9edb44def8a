//! The decision: may this token pass?
//!
//! Everything here is a pure call over what is handed in, or a state machine that takes events with the
//! time in them. No socket, no runtime, no clock of the machine: [`Now`] is an argument, and so is every
//! random seed. The `keyward` crate does the I/O.
//!
//! - [`decide`] takes a token through the checks, cheap ones first, and returns a [`Verdict`], or says
//!   which key it lacks.
//! - [`key_set::KeySetMachine`] keeps one issuer's keys: when to fetch, what a failure means, how long
//!   stale keys serve, and how often unknown key ids may ask.
//! - [`introspection`] reads what an introspection endpoint says of a token, holds it to the same checks, and
//!   remembers it for a moment.
//! - [`strategy`] says which of both is asked, when the other is, and how that is marked.
//! - [`binding`] holds what a request proves against what its token is bound to: neither [`decide`] nor any memory of
//!   verdicts does.
//! - [`explain`] says what each check finds, for a person who asks why.
//! - [`VerdictCache`] remembers what was accepted, for as long as all of it still holds.

pub mod binding;
pub mod introspection;
pub mod key_set;
pub mod strategy;

mod claims;
mod dangerous;
mod decide;
mod explain;
mod issuer;
mod jitter;
mod known_key;
mod reason;
mod requirement;
mod time;
mod verdict;
mod verdict_cache;

pub use claims::{Claims, ClaimsError};
pub use dangerous::{Signed, dangerous_decide_for_any_issuer, dangerous_verify_signature_only};
pub use decide::{Decision, Stop, WantedKey, decide};
pub use explain::{Check, Outcome, explain};
pub use issuer::{Issuer, IssuerPolicy};
pub use known_key::{key_with_thumbprint, signing_key};
pub use reason::{Reason, ReasonKind};
pub use requirement::{ClaimRule, ClaimTest, Requirement};
pub use time::{MonoTime, Now, UnixTime};
pub use verdict::{Verdict, Verified, VerifiedBy};
pub use verdict_cache::VerdictCache;
