//! The authority from outside.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod admin;
mod apply;
mod attack;
mod backup;
mod bench;
mod client_auth;
mod config;
mod keys;
mod linearizability;
mod migrations;
mod node;
mod operations;
mod outage;
mod pressure;
mod server;
mod server_mutual_tls;
mod server_tls;
mod storage;
mod telemetry;
mod token;
mod used;
mod view;
