//! Random schedules of faults, rotations, restarts and traffic, and what is right in each of them.
//!
//! [`Schedule`] is made from a seed. [`run`](run::run) plays it to the library and a provider in memory, on a clock
//! that jumps. What may be answered to each request is worked out from the schedule alone, by the promises, and shares
//! nothing with the verifier.

mod dice;
mod generate;
mod history;
#[cfg(test)]
mod mutants;
mod plan;
mod rotation;
mod run;
mod truth;
mod violation;

pub use plan::{Ask, Event, Millis, Mint, PlannedIssuer, Schedule, Token, Worth};
pub use run::{Ran, run, run_each};
pub use violation::Violation;

use std::time::Duration;

/// Times of a schedule are never before its beginning; what is, is its beginning.
fn duration(time: Millis) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}
