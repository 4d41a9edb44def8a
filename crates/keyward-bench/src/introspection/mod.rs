//! Introspection: what it costs beside keys where nothing is asked, and beside the endpoint's own time where it is.

mod gateway;
mod library;
mod uncached;

use crate::Failure;
use crate::row::Rows;

pub(crate) use library::{by_answer, by_fallback};

pub(crate) fn measure(rows: &mut Rows) -> Result<(), Failure> {
    library::measure(rows)?;
    gateway::measure(rows)?;
    uncached::measure(rows)
}
