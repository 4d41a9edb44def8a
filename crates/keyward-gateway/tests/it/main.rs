//! Tests that try to break the gateway from outside: over real sockets, as proxies, operators and strangers
//! talk to it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod admin;
mod answers;
mod config;
mod drain;
mod hostile_paths;
mod identity;
mod limits;
mod logs;
mod reload;
mod routes;
mod support;
mod tokens;
