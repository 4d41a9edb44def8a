//! The command as a person or a script meets it: the real binary, its output and its exit codes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails, and they wait by the real clock"
)]

mod authority;
mod authority_changes;
mod authority_operations;
mod chain;
mod config;
mod doctor;
mod doctor_screens;
mod drill;
mod drill_random;
mod help;
mod key_upload;
mod keys;
mod place;
mod runbook;
mod support;
mod token_inspect;
mod token_request;
mod token_verify;
mod up;
