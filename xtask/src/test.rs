//! What CI runs.

use crate::interop::{Installed, Postgres, TEST_POSTGRES};
use crate::{Failure, Selection, check, command, drill, instructions, interop, run_interop};

/// Runs everything, the quick things first, and stops at the first that fails.
pub(crate) fn run() -> Result<bool, Failure> {
    let mut release_build = command::begin_release_build()?;
    Ok(check::run(&Selection::default())?
        && command::run(&mut command::cargo(&["test", "--workspace", "--locked", "--no-run"]))?
        // Nothing runs beside tests that measure or wait.
        && release_build.wait().is_ok()
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
