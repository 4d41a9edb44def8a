//! A promise that was broken.

use std::fmt;

use serde::Serialize;

use super::plan::Millis;
use super::truth::clock;

/// A promise that was broken, and how to see it again.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    /// The seed of the schedule.
    pub seed: u64,
    /// When it was.
    pub at: Millis,
    /// Which promise, as docs/explanation/promises.md numbers them.
    pub promise: u8,
    /// What was asked.
    pub request: String,
    /// What may be answered, and why.
    pub allowed: String,
    /// What was.
    pub found: String,
    /// What happened before: the last lines of the trace.
    pub recent: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, promise, request, allowed, found, recent } = self;
        writeln!(f, "seed {seed} breaks promise {promise} at {}: {request}", clock(*at))?;
        writeln!(f, "  allowed: {allowed}")?;
        writeln!(f, "  found:   {found}")?;
        writeln!(f, "  before that:")?;
        recent.iter().try_for_each(|line| writeln!(f, "    {line}"))?;
        write!(f, "  again:   keyward drill random --seed {seed}")
    }
}
