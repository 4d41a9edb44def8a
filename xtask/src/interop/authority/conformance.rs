//! The authority's conformance suites on a PostgreSQL of our own.

use crate::command;
use crate::interop::error::Error;
use crate::interop::outcome::Outcome;
use crate::interop::process::run;

use super::postgres::Postgres;

/// What the suites look for their server by.
pub(crate) const ADDRESS: &str = "KEYWARD_TEST_POSTGRES";

/// Runs those tests that have an engine in their name. A server that is not there fails them, and none at all is no success.
pub(super) fn on_postgres(postgres: &Postgres) -> Result<Outcome, Error> {
    // Of the whole workspace, as `cargo xtask test` builds them: one package by itself has dependencies with other features.
    let mut cargo = command::cargo(&["test", "--workspace", "--locked", "--test", "it", "--", "postgres::"]);
    let printed = run(cargo.env(ADDRESS, postgres.address("postgres")))?;
    let passed: u32 = printed
        .lines()
        .filter_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<u32>().ok())
        .sum();
    Ok(Outcome { measured: format!("{passed} tests passed"), passed: passed > 0 })
}
