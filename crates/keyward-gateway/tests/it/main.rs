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
mod config_introspection;
mod drain;
mod forget;
mod hostile_paths;
mod identity;
mod introspection;
mod introspection_reload;
mod limits;
mod logs;
mod provider;
mod reload;
mod routes;
mod support;
mod tokens;
