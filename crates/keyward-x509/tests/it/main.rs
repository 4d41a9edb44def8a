//! What the crate promises to whoever calls it, by certificates that rcgen makes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod bundles;
mod chains;
mod failover;
mod identities;
mod paths;
mod revocation;
mod sorting;
mod support;
mod wrappers;
