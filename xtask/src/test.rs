//! What CI runs.

use crate::{Failure, Selection, check, command, drill, instructions, interop, run_interop};

/// Runs everything, the quick things first, and stops at the first that fails.
pub(crate) fn run() -> Result<bool, Failure> {
    Ok(check::run(&Selection::default())?
        && command::run(&mut command::cargo(&["test", "--workspace", "--locked"]))?
        && drill::run()?
        && instructions::run(&instructions::Options::default())?
        && run_interop(&interop::Options::default())?)
}
