//! Tests that try to break keyward-verify from outside: the reasons, the key set machine and the breaker against
//! models, rotation as a provider does it, the verdict cache, and what introspection says and who believes
//! it, and what a request proves beside its token.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod answer_cache;
mod binding;
mod breaker;
mod breaker_model;
mod decisions;
mod dpop;
mod dpop_vectors;
mod flood;
mod introspection;
mod key_set_model;
mod proofs;
mod replay_cache;
mod rotation;
mod strategies;
mod support;
mod target_uri;
mod tools;
mod verdict_cache;
mod wrappers;
