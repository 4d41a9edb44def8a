//! What CI runs.

use crate::interop::{Installed, Postgres, TEST_POSTGRES};
use crate::{Failure, Selection, check, command, drill, instructions, interop, run_interop};

/// Runs everything, the quick things first, and stops at the first that fails.
pub(crate) fn run() -> Result<bool, Failure> {
    Ok(check::run(&Selection::default())?
        && all_tests()?
        && drill::run()?
        && instructions::run(&instructions::Options::default())?
        && run_interop(&interop::Options::default())?)
}

/// With a PostgreSQL beside them, for the suites that run on each engine.
fn all_tests() -> Result<bool, Failure> {
    Installed::ensure_postgres()?;
    let postgres = Postgres::start()?;
    let mut cargo = command::cargo(&["test", "--workspace", "--locked"]);
    command::run(cargo.env(TEST_POSTGRES, postgres.address("postgres")))
}
