//! `keyward authority storage`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_authority::config::Config;
use keyward_authority::storage::Store;
use serde::Serialize;

use super::environment;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::runtime;

#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Hold the state against the log, to the byte
    #[command(after_help = "\
Examples:
  keyward authority storage verify --config authority.toml

Replaying the log has to give the state, and positions have no gaps. Each difference is a line on stdout. With
PostgreSQL nodes may serve meanwhile; a SQLite file is one process' own, so end the node first. Exit code 0:
they agree. 1: they do not; `rebuild` makes the state what the log says. 2: the storage cannot be read.")]
    Verify(StorageArgs),
    /// Make the state anew from the log
    #[command(after_help = "\
Examples:
  keyward authority storage rebuild --config authority.toml

The log is replayed beside the state and takes its place in one transaction: reads see the one or the other, changes
wait. With PostgreSQL nodes may serve meanwhile; a SQLite file is one process' own, so end the node first.")]
    Rebuild(StorageArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StorageArgs {
    /// The authority's configuration file, which names the storage
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verified {
    agree: bool,
    position: i64,
    differences: Vec<String>,
}

#[derive(Serialize)]
struct Rebuilt {
    position: i64,
}

pub(crate) fn run(command: &StorageCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            StorageCommand::Rebuild(args) => rebuild(args).await,
            StorageCommand::Verify(args) => verify(args).await,
        }
    })
}

async fn verify(args: &StorageArgs) -> Result<Exit, Failure> {
    let store = open(args).await?;
    let position = store.head().await?.0;
    let differences: Vec<_> = store.verify().await?.iter().map(ToString::to_string).collect();
    store.close().await;
    let agree = differences.is_empty();
    let mut output = Output::stdout();
    if args.json {
        output.json(&Verified { agree, position, differences })?;
    } else if agree {
        output.line(format_args!("the state is what the log says, up to position {position}"))?;
    } else {
        for difference in &differences {
            output.line(difference)?;
        }
    }
    output.flush()?;
    Ok(if agree { Exit::Yes } else { Exit::No })
}

async fn rebuild(args: &StorageArgs) -> Result<Exit, Failure> {
    let store = open(args).await?;
    let position = store.rebuild().await?.0;
    store.close().await;
    let mut output = Output::stdout();
    if args.json {
        output.json(&Rebuilt { position })?;
    } else {
        output.line(format_args!("the state was made anew from the log, up to position {position}"))?;
    }
    output.flush()?;
    Ok(Exit::Yes)
}

async fn open(args: &StorageArgs) -> Result<Store, Failure> {
    let config = Config::load(&args.config, environment).map_err(Failure::AuthorityConfig)?;
    Ok(Store::open(&config.storage).await?)
}
