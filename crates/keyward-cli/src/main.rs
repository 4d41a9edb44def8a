//! The binary `keyward`. All of it is in the library, so that `cargo xtask` can read the commands too.

use std::process::ExitCode;

fn main() -> ExitCode {
    keyward_cli::run(std::env::args_os())
}
