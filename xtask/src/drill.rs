//! The drills, on the release build of the gateway itself.

use std::process::Command;

use crate::{Failure, command};

/// How many run at once, of those that measure no time: mostly they wait.
const JOBS: &str = "12";

/// Runs all of them over real sockets, with the doctor at the end of each phase, then in virtual time those that can be.
pub(crate) fn run() -> Result<bool, Failure> {
    command::build_release()?;
    let keyward = command::release_binary("keyward");
    Ok(command::run(Command::new(&keyward).args(["drill", "run", "--all", "--with-doctor", "--jobs", JOBS]))?
        && command::run(Command::new(&keyward).args(["drill", "run", "--all", "--virtual-time"]))?)
}
