//! The lab over real sockets and in memory, seen by clients that know nothing of it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod assertion;
mod clients;
mod control;
mod endpoints;
mod faults;
mod introspection;
mod keys;
mod pooled;
mod recorded;
mod reference;
mod starting;
mod support;
mod tls;
mod virtual_time;
mod visitors;
mod wrappers;
