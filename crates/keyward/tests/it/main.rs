//! Tests that try to break the library from outside, over real sockets: providers that fail, rotate, redirect
//! and hang, and what becomes of tokens meanwhile.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod bound;
mod certificate_files;
mod certificates;
mod clock_ahead;
mod credentials_bearer;
mod credentials_files;
mod credentials_key_files;
mod credentials_methods;
mod credentials_provider;
mod credentials_secrets;
mod credentials_sending;
mod discovery;
mod failures;
mod fetching;
mod files;
mod introspection;
mod isolation;
mod kept_set;
mod layer;
mod races;
mod reload;
mod secrets;
mod shared_replay;
mod snapshots;
mod ssrf;
mod support;
mod tls;
mod trace;
mod unknown_kid;
mod virtual_time;
mod wrappers;
