//! What is done at the storage itself: the first administrator, and whole realms as files.

use std::path::{Path, PathBuf};

use clap::Args;
use keyward_authority::admin::{BootstrapError, bootstrap};
use keyward_authority::apply::{self, RealmFile};
use keyward_authority::authority::Authority;
use keyward_authority::config::Config;
use keyward_authority::server;
use keyward_authority::storage::Actor;
use serde::Serialize;

use super::environment;
use crate::exit::{Exit, Failure};
use crate::output::{Output, tell};
use crate::runtime;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  printf 'key_file = \"administrator.json\"\\n' > bootstrap.toml && chmod 600 bootstrap.toml
  keyward authority bootstrap --config authority.toml bootstrap.toml
  keyward authority realm list --server https://auth.example --key-file administrator.json

It makes realm `admin` and a service account in it that may do everything, and writes that one's key file, which
nobody else may read. It works once, while nothing is kept yet, and at the storage itself: with SQLite before the
node is started. In the file, service_account names the account (default \"administrator\") and format is \"zitadel\"
(default), \"jwk\" or \"pem\". Delete the file afterwards.")]
pub(crate) struct BootstrapArgs {
    /// The authority's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The bootstrap file
    file: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority export --config authority.toml --realm main > main.toml
  keyward authority apply --config authority.toml -f main.toml
  keyward authority apply --config authority.toml -f main.toml --yes

It prints what would be done, a line a step: + is made, ~ is changed, - is deleted. With --yes it is done, all of it
or nothing. A second time there is nothing left to do. What the file does not name is deleted; secrets and
identities are in no file, and stay with their clients and signers. It works at the storage itself: with PostgreSQL
nodes may serve meanwhile, a SQLite file is one process' own, so end the node first. Exit code 0: it is so, or was
done. 1: there is something to do, and --yes is not there.")]
pub(crate) struct ApplyArgs {
    /// The authority's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The realm, as a file
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Do it
    #[arg(long)]
    yes: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward authority export --config authority.toml --realm main > main.toml

The file changes nothing when it is applied. No secret and no private key is in it. It works at the storage itself, as
`apply` does.")]
pub(crate) struct ExportArgs {
    /// The authority's configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
}

#[derive(Serialize)]
struct Made {
    service_account: String,
    kid: String,
    key_file: PathBuf,
}

pub(crate) fn run_bootstrap(args: &BootstrapArgs) -> Result<Exit, Failure> {
    runtime::full()?.block_on(async {
        let authority = open(&args.config).await?;
        let made = bootstrap(&authority, &args.file).await;
        close(authority).await;
        match made {
            Ok(made) => {
                let mut output = Output::stdout();
                let (service_account, kid, key_file) = (made.service_account, made.kid, made.key_file);
                output.json(&Made { service_account, kid, key_file })?;
                output.flush()?;
                Ok(Exit::Yes)
            }
            Err(error @ BootstrapError::NotEmpty { .. }) => {
                tell(error);
                Ok(Exit::No)
            }
            Err(error) => Err(Failure::Bootstrap(Box::new(error))),
        }
    })
}

pub(crate) fn run_apply(args: &ApplyArgs) -> Result<Exit, Failure> {
    let path = || args.file.display().to_string();
    let text = std::fs::read_to_string(&args.file).map_err(|cause| Failure::File { path: path(), cause })?;
    let wanted =
        RealmFile::parse(&text).map_err(|error| Failure::Plan { path: path(), error: error.to_string() })?;
    runtime::full()?.block_on(async {
        let authority = open(&args.config).await?;
        let done = plan_and_apply(&authority, &wanted, args.yes).await;
        close(authority).await;
        done
    })
}

async fn plan_and_apply(authority: &Authority, wanted: &RealmFile, yes: bool) -> Result<Exit, Failure> {
    let current = apply::current(authority, &wanted.realm.name).await?;
    let steps = apply::plan(current.as_ref(), wanted);
    let mut output = Output::stdout();
    for step in &steps {
        output.line(step)?;
    }
    output.flush()?;
    if steps.is_empty() {
        tell("there is nothing to do");
        return Ok(Exit::Yes);
    }
    if !yes {
        tell("nothing is done yet; --yes does it");
        return Ok(Exit::No);
    }
    apply::apply(authority, &Actor("keyward authority apply".to_owned()), wanted, &steps).await?;
    Ok(Exit::Yes)
}

pub(crate) fn run_export(args: &ExportArgs) -> Result<Exit, Failure> {
    runtime::full()?.block_on(async {
        let authority = open(&args.config).await?;
        let text = apply::export(&authority, &args.realm).await;
        close(authority).await;
        let mut output = Output::stdout();
        output.octets(text?.as_bytes())?;
        output.flush()?;
        Ok(Exit::Yes)
    })
}

async fn open(config: &Path) -> Result<Authority, Failure> {
    let config = Config::load(config, environment).map_err(Failure::AuthorityConfig)?;
    Ok(server::open(&config).await?)
}

async fn close(authority: Authority) {
    authority.view().store().clone().close().await;
}
