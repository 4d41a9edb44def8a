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
mod bound_certificates;
mod config;
mod config_bindings;
mod config_introspection;
mod dpop;
mod drain;
mod events;
mod forget;
mod hostile_paths;
mod identity;
mod introspection;
mod introspection_reload;
mod limits;
mod logs;
mod pki;
mod proof;
mod provider;
mod recorder;
mod reload;
mod routes;
mod shared_proofs;
mod support;
mod telemetry;
mod tls;
mod tls_config;
mod tls_reload;
mod tokens;
mod traces;
mod wrappers;
