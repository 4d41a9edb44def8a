//! Ratios to peers, measured in one interleaved run; and the hot paths by themselves, for counting
//! instructions. `cargo xtask bench` runs it.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the real clocks")]
#![allow(clippy::print_stdout, reason = "rows go to stdout, for xtask to read")]

mod allocations;
mod authority;
mod bare_server;
mod cached;
mod certificates;
mod forward_auth;
mod hot_path;
mod interleave;
mod introspection;
mod load;
mod row;
mod sample;
mod server;
mod token_verify;
mod turns;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures and prints a JSON row each; names are prefixes, none means all.
    Measure {
        names: Vec<String>,
        /// The keyward binary, for what is measured of it as a whole.
        #[arg(long)]
        keyward: PathBuf,
        /// Where the authority and its peers are, for what is measured of them.
        #[arg(long)]
        authority: Option<PathBuf>,
    },
    /// Lists what can be measured.
    List,
    /// Runs one hot path so many times, for callgrind.
    Hot { path: hot_path::HotPath, times: u32 },
    /// Answers 204 to everything, until it is killed: the floor.
    BareServer,
    /// Answers everything with a token that it signs, until it is killed: the least that issuing costs.
    BareIssuer,
    /// Says of every token that it is active, until it is killed: a provider that takes no time.
    Provider,
    /// Runs the gateway by a configuration, until it is killed.
    Gateway { config: PathBuf },
}

/// A group of rows and what measures it.
type Group = (&'static str, fn(&mut row::Rows, &Setup) -> Result<(), Failure>);

/// What groups need from the command line.
struct Setup {
    keyward: PathBuf,
    authority: Option<PathBuf>,
}

const GROUPS: [Group; 7] = [
    ("verify", |rows, _| verify::measure(rows)),
    ("cached", |rows, _| cached::measure(rows)),
    ("forward-auth", |rows, _| forward_auth::measure(rows)),
    ("introspection", |rows, _| introspection::measure(rows)),
    ("certificates", |rows, _| certificates::measure(rows)),
    ("token-verify", |rows, setup| token_verify::measure(rows, &setup.keyward)),
    ("authority", |rows, setup| authority::measure(rows, setup.authority.as_deref())),
];

fn main() -> Result<ExitCode, Failure> {
    match Arguments::parse().command {
        Command::Measure { names, keyward, authority } => {
            let setup = Setup { keyward, authority };
            let mut rows = row::Rows::new(names);
            for (group, measure) in GROUPS {
                if rows.wants_group(group) {
                    measure(&mut rows, &setup)?;
                }
            }
            Ok(if rows.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::List => {
            for (group, _) in GROUPS {
                println!("{group}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Hot { path, times } => hot_path::run(path, times).map(|()| ExitCode::SUCCESS),
        Command::BareServer => bare_server::answer_no_content().map(|()| ExitCode::SUCCESS),
        Command::BareIssuer => bare_server::issue().map(|()| ExitCode::SUCCESS),
        Command::Provider => bare_server::introspect().map(|()| ExitCode::SUCCESS),
        Command::Gateway { config } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(keyward_gateway::run(&config))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
