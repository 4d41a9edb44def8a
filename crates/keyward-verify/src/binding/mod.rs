//! Sender-constrained tokens: a token that is bound to a certificate (RFC 8705) or to a key (DPoP, RFC 9449) passes only
//! with the proof that whoever sends it holds the other half.
//!
//! A verdict says nothing of it: [`Verified`](crate::Verified) is the token's alone and may be remembered, while each
//! request proves anew. Two steps lead from there to the request's own verdict:
//!
//! 1. [`BindingCheck::check`] holds what was [`Presented`] against what the token is bound to. It is pure.
//! 2. What it calls [`Checked::Once`] holds unless the same proof was used before: [`ReplayCache::remember`] says so, or
//!    a memory that several processes share.

mod check;
mod confirmation;
mod nonces;
mod presented;
mod proof;
mod replay;
mod target_uri;

pub use check::{BindingCheck, BindingError, BindingSettings, Checked, Proved};
pub use confirmation::Confirmation;
pub use nonces::Nonces;
pub use presented::{CertificateThumbprint, Demanded, DpopProof, Presented, Proofs, Scheme};
pub use proof::ProofError;
pub use replay::{Once, ReplayCache, ReplayKey};
pub use target_uri::normalized;
