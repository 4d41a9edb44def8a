//! Tests that try to break keyward-jose from outside: vectors of others, attacks, and properties.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod attacks;
mod embedded_key;
mod keys;
mod properties;
mod rfc;
mod round_trip;
mod support;
mod wrapping;
mod wycheproof;
