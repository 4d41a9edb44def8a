//! What drill files may say, and drills that are run: those that have to pass, and those that have to fail.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod files;
mod runs;
mod schedules;
