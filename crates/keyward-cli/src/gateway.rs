//! `keyward gateway`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward config default > keyward.toml
  keyward config check keyward.toml
  keyward gateway --config keyward.toml

It reads the file again on SIGHUP and when it changes; a bad new file is refused and the old one keeps
serving. SIGTERM lets open requests end.")]
pub(crate) struct GatewayArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &GatewayArgs) -> Result<Exit, Failure> {
    runtime::full()?.block_on(keyward_gateway::run(&args.config))?;
    Ok(Exit::Yes)
}
