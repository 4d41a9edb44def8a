//! The `keyward` command: it parses arguments, wires the other crates, and prints.
//!
//! Results go to stdout, everything else to stderr, and all of it through `output`. What a command came
//! to is an `exit::Exit`; why it could not run is an `exit::Failure`.

mod authority;
mod chain;
mod cli;
mod config;
mod doctor;
mod drill;
mod exit;
mod gateway;
mod keys;
mod manual;
mod output;
mod place;
mod reference;
mod runtime;
mod time;
mod token;
mod up;

pub use cli::{command, run};
