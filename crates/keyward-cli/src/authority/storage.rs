//! `keyward authority storage`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keyward_authority::config::Config;
use keyward_authority::server;
use keyward_authority::signing::{self, ClosedKey, Resealed, RotationError};
use keyward_authority::storage::{Actor, Position, Store, StoreAddress};
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

Replaying the log has to give the state, and positions have no gaps. Each difference is a line on stdout. Nodes may
serve meanwhile. Exit code 0: they agree. 1: they do not; `rebuild` makes the state what the log says. 2: the storage
cannot be read.")]
    Verify(StorageArgs),
    /// Make the state anew from the log
    #[command(after_help = "\
Examples:
  keyward authority storage rebuild --config authority.toml

The log is replayed beside the state and takes its place in one transaction: reads see the one or the other, changes
wait. With PostgreSQL nodes may serve meanwhile; a SQLite file is one process' own, so end the node first.")]
    Rebuild(StorageArgs),
    /// Seal the private signing keys under the master key
    #[command(after_help = "\
Examples:
  keyward authority storage reseal --config authority.toml
  keyward authority storage reseal --config authority.toml --withdraw-lost

For a change of the master key: the configuration names the new one, and the last one under further_master_key_files.
Every key that signs or is going to is opened and sealed under the new one. A second time there is nothing left to do,
and the last one may be taken out of the configuration. With PostgreSQL nodes may serve meanwhile, each with both; a
SQLite file is one process' own, so end the node first. Exit code 0: all are sealed under the master key. 1: some
cannot be opened, and stay as they are. With --withdraw-lost those are withdrawn as compromised, and others sign in
their place at once: for a master key that is lost.")]
    Reseal(ResealArgs),
    /// Write the log into a file
    #[command(after_help = "\
Examples:
  keyward authority storage backup --config authority.toml authority.backup

Nodes may serve meanwhile. The file is there when it is whole, and readable for its owner alone. Private keys in it are
sealed under the master key: keep that elsewhere. Opaque tokens are not in it, nor when keys were last used.")]
    Backup(FileArgs),
    /// Make an empty storage what a backup says
    #[command(after_help = "\
Examples:
  keyward authority storage restore --config authority.toml authority.backup

The whole file is checked before the first event is written, all are written in one transaction, and the state is held
against the log. No node may serve meanwhile.")]
    Restore(FileArgs),
    /// Print every entity as it is, one JSON object a line
    #[command(after_help = "\
Examples:
  keyward authority storage export --config authority.toml > authority.jsonl

Nodes may serve meanwhile. No private key and no hash of a secret is in it, so nothing can be restored of it; `backup`
is for that.")]
    Export(ConfigArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    /// The authority's configuration file, which names the storage
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    #[command(flatten)]
    of: StorageArgs,
    /// The backup
    file: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct ResealArgs {
    #[command(flatten)]
    of: StorageArgs,
    /// Withdraw the keys that cannot be opened
    #[arg(long)]
    withdraw_lost: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StorageArgs {
    #[command(flatten)]
    of: ConfigArgs,
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

/// Which keys are sealed under the master key now.
#[derive(Serialize)]
struct Sealed {
    sealed: u64,
    unchanged: u64,
    closed: Vec<Closed>,
    withdrawn: bool,
}

#[derive(Serialize)]
struct Closed {
    realm: String,
    kid: String,
    cause: String,
}

/// Up to where something was done.
#[derive(Serialize)]
struct Done {
    position: i64,
}

pub(crate) fn run(command: &StorageCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            StorageCommand::Backup(args) => {
                let store = Store::open_to_read(&address(&args.of.of)?).await?;
                let written = store.backup(&args.file, |_| {}).await;
                store.close().await;
                done(&args.of, "the log was written", written?)
            }
            StorageCommand::Export(args) => export(args).await,
            StorageCommand::Rebuild(args) => {
                let store = Store::open(&address(&args.of)?).await?;
                let rebuilt = store.rebuild().await;
                store.close().await;
                done(args, "the state was made anew from the log", rebuilt?)
            }
            StorageCommand::Reseal(args) => reseal(args).await,
            StorageCommand::Restore(args) => {
                let store = Store::open(&address(&args.of.of)?).await?;
                let restored = store.restore(&args.file, |_| {}).await;
                store.close().await;
                done(&args.of, "the storage is what the backup says", restored?)
            }
            StorageCommand::Verify(args) => verify(args).await,
        }
    })
}

async fn verify(args: &StorageArgs) -> Result<Exit, Failure> {
    let store = Store::open_to_read(&address(&args.of)?).await?;
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

async fn reseal(args: &ResealArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.of.of.config, environment).map_err(Failure::AuthorityConfig)?;
    let authority = server::open(&config).await?;
    let actor = Actor("keyward authority storage reseal".to_owned());
    let done = async {
        let done = signing::reseal(&authority, &actor).await?;
        if args.withdraw_lost {
            signing::withdraw_closed(&authority, &actor, &done.closed).await?;
        }
        Ok::<_, RotationError>(done)
    };
    let done = done.await;
    authority.view().store().clone().close().await;
    let Resealed { sealed, unchanged, closed, .. } = done?;
    let (withdrawn, all) = (args.withdraw_lost && !closed.is_empty(), closed.is_empty());
    let mut output = Output::stdout();
    if args.of.json {
        let cause = |key: ClosedKey| Closed { cause: key.cause.to_string(), realm: key.realm, kid: key.kid };
        let closed = closed.into_iter().map(cause).collect();
        output.json(&Sealed { sealed, unchanged, closed, withdrawn })?;
    } else {
        output
            .line(format_args!("{sealed} keys were sealed under the master key; {unchanged} were before"))?;
        for key in &closed {
            output.line(format_args!("{}{key}", if withdrawn { "withdrawn: " } else { "" }))?;
        }
    }
    output.flush()?;
    Ok(if all || withdrawn { Exit::Yes } else { Exit::No })
}

async fn export(args: &ConfigArgs) -> Result<Exit, Failure> {
    let store = Store::open_to_read(&address(args)?).await?;
    let mut output = Output::stdout();
    let exported = store.export::<Failure>(|line| output.line(line)).await;
    store.close().await;
    exported?;
    output.flush()?;
    Ok(Exit::Yes)
}

fn done(args: &StorageArgs, what: &str, Position(position): Position) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    if args.json {
        output.json(&Done { position })?;
    } else {
        output.line(format_args!("{what}, up to position {position}"))?;
    }
    output.flush()?;
    Ok(Exit::Yes)
}

fn address(args: &ConfigArgs) -> Result<StoreAddress, Failure> {
    Ok(Config::load(&args.config, environment).map_err(Failure::AuthorityConfig)?.storage)
}
