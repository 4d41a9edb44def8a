//! `keyward authority config`.

use std::fs::File;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_authority::config::{Config, DEFAULT_FILE};
use serde::Serialize;

use super::environment;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a configuration file without running it
    Check(CheckArgs),
    /// Print the default configuration, with every setting explained
    #[command(after_help = "\
Examples:
  keyward authority config default > authority.toml")]
    Default,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority config check authority.toml
  keyward authority config check authority.toml --json

It reads the file and those that it names, asks nobody, opens no storage, and says in which line and column
something is wrong. It warns of each secret that others than its owner can read. Exit code 0: it can be
used. 1: it cannot. 2: it cannot be read.")]
pub(crate) struct CheckArgs {
    /// The configuration file
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check(args) => check(&args),
        ConfigCommand::Default => {
            let mut output = Output::stdout();
            output.octets(DEFAULT_FILE.as_bytes())?;
            output.flush()?;
            Ok(Exit::Yes)
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    sound: bool,
    line: Option<usize>,
    column: Option<usize>,
    message: Option<&'a str>,
    warnings: Vec<String>,
}

fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let file = args.file.display().to_string();
    // A file that cannot be read is no bad configuration: nobody can tell.
    File::open(&args.file).map_err(|cause| Failure::File { path: file.clone(), cause })?;
    let mut output = Output::stdout();
    let exit = match Config::load(&args.file, environment) {
        Ok(config) => {
            let warnings = config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
            if args.json {
                let (line, column, message) = (None, None, None);
                output.json(&Report { file, sound: true, line, column, message, warnings })?;
            } else {
                for warning in warnings {
                    output.line(format_args!("{file}: warning: {warning}"))?;
                }
                let (origin, storage) = (config.origin.origin().ascii_serialization(), config.storage);
                output.line(format_args!("{file}: it can be used; origin {origin}, storage {storage}"))?;
            }
            Exit::Yes
        }
        Err(error) => {
            if args.json {
                let (line, column) = error.place().map(|place| (place.line, place.column)).unzip();
                let message = Some(error.message());
                let warnings = Vec::new();
                output.json(&Report { file, sound: false, line, column, message, warnings })?;
            } else {
                output.line(&error)?;
            }
            Exit::No
        }
    };
    output.flush()?;
    Ok(exit)
}
