//! A case: what it is called, what has to come out, and how that is found out.

use super::error::Error;
use super::outcome::Outcome;

/// What cases are run on.
pub(crate) trait Bench {
    /// It, with what it borrows.
    type On<'a>: Bench;

    /// The last lines of the logs of what runs on it.
    fn log_tail(&self) -> String;
}

/// A row for each bench that it is run on.
pub(crate) struct Case<B: Bench> {
    /// Names it in rows.
    pub(crate) name: &'static str,
    /// What has to come out.
    pub(crate) target: &'static str,
    /// Finds out.
    pub(crate) run: fn(&B::On<'_>) -> Result<Outcome, Error>,
}
