//! Keyward's own tasks. `cargo xtask --help` lists them.
#![allow(clippy::disallowed_methods, reason = "a task runner measures and waits by the real clock")]

mod interop;
mod report;

fn main() {}
