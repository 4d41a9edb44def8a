//! `keyward drill record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keyward_lab::record::Recording;

use crate::exit::{Exit, Failure};
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward drill record https://idp.example/realms/main > recording.jsonl
  keyward drill record https://idp.example/realms/main --every 60s --times 1440 > day.jsonl
  keyward drill lab --replay day.jsonl

It fetches the discovery document and the JWK Set, nothing else, without credentials, and writes what came as a JSON
object a line to standard output.")]
pub(crate) struct RecordArgs {
    /// The issuer
    #[arg(value_name = "URL")]
    issuer: String,
    /// The time between two fetches
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// How many times it is asked
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    times: u64,
    /// Trust anchors for its TLS beside the system's, in PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

pub(crate) fn run(args: &RecordArgs) -> Result<Exit, Failure> {
    let anchors = match &args.ca_file {
        Some(path) => {
            std::fs::read(path).map_err(|cause| Failure::File { path: path.display().to_string(), cause })?
        }
        None => Vec::new(),
    };
    let mut recording = Recording::start(&args.issuer, &anchors)?;
    runtime::single()?.block_on(recording.run(args.times, args.every, &mut tokio::io::stdout()))?;
    Ok(Exit::Yes)
}
