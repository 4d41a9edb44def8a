//! The drills, on the release build of the gateway itself.

use std::process::Command;

use crate::interop::{Installed, Postgres, TEST_POSTGRES};
use crate::{Failure, command};

/// How many run at once, of those that measure no time: mostly they wait.
const JOBS: &str = "12";

/// Runs all of them over real sockets, those of the authority on two nodes and a PostgreSQL of our own, with the doctor at the
/// end of each phase; then in virtual time those that can be. Call it from the main thread: the server ends with the thread that
/// started it.
pub(crate) fn run() -> Result<bool, Failure> {
    command::build_release()?;
    Installed::ensure_postgres()?;
    let postgres = Postgres::start()?;
    let keyward = command::release_binary("keyward");
    let mut over_sockets = Command::new(&keyward);
    over_sockets.args(["drill", "run", "--all", "--with-doctor", "--jobs", JOBS]);
    Ok(command::run(over_sockets.env(TEST_POSTGRES, postgres.address("postgres")))?
        && command::run(Command::new(&keyward).args(["drill", "run", "--all", "--virtual-time"]))?)
}
