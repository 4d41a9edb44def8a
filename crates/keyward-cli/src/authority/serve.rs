//! `keyward authority serve`.

use std::path::PathBuf;

use clap::Args;

use super::environment;
use crate::exit::{Exit, Failure};
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority config default > authority.toml
  openssl rand -base64 32 > master-key && chmod 600 master-key
  keyward authority config check authority.toml
  keyward authority serve --config authority.toml

It needs the master key, which private signing keys are sealed under: keep a copy of it apart from backups
of the storage. With SQLite there is one node; several share a PostgreSQL. On SIGTERM /readyz says 503, new
connections are refused after limits.drain_grace, and open requests may end.")]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &ServeArgs) -> Result<Exit, Failure> {
    runtime::full()?.block_on(keyward_authority::server::run(&args.config, environment))?;
    Ok(Exit::Yes)
}
