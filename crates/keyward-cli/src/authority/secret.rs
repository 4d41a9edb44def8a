//! `keyward authority secret`: what clients show who they are with.

use clap::{Args, Subcommand};
use serde_json::json;

use super::api::Api;
use super::expiry::{Expiry, NewExpiry};
use super::key::{print_once, stand};
use super::kind::RealmOf;
use super::table::{Column, Form};
use crate::exit::{Exit, Failure};
use crate::runtime;

/// What clients show who they are with.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Make a secret, and print it this once
    #[command(after_help = "\
Examples:
  (umask 077; keyward authority secret create --realm main --client shop ... > shop.secret)
  (umask 077; keyward authority secret create --realm main --client shop second --expires-in 365d ... > shop.secret)
  keyward authority secret disable --realm main --client shop first ...

A client has up to three, so that one can take another's place without a gap. They are kept as argon2id hashes.")]
    Create {
        #[command(flatten)]
        secret: SecretArgs,
        #[command(flatten)]
        expiry: Expiry,
    },
    /// List the secrets' names and times
    #[command(after_help = "\
Examples:
  keyward authority secret list --realm main --client shop ...")]
    List {
        #[command(flatten)]
        of: ClientOf,
        #[command(flatten)]
        form: Form,
    },
    /// Show one secret's name and times
    Show {
        #[command(flatten)]
        secret: SecretArgs,
        #[command(flatten)]
        form: Form,
    },
    /// Say until when a secret is taken
    #[command(after_help = "\
Examples:
  keyward authority secret change --realm main --client shop first --expires-in 7d ...
  keyward authority secret change --realm main --client shop first --never-expires ...")]
    Change {
        #[command(flatten)]
        secret: SecretArgs,
        #[command(flatten)]
        expiry: NewExpiry,
    },
    /// Take a secret again
    Enable(SecretArgs),
    /// Take a secret no more, within a second on every node
    Disable(SecretArgs),
    /// Delete a secret
    Delete(SecretArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ClientOf {
    #[command(flatten)]
    of: RealmOf,
    /// The client
    #[arg(long, value_name = "ID")]
    client: String,
}

#[derive(Args, Debug)]
pub(crate) struct SecretArgs {
    #[command(flatten)]
    of: ClientOf,
    /// Which of its secrets
    #[arg(default_value = "first")]
    name: String,
}

const COLUMNS: &[Column] = &[
    Column("name", "/name"),
    Column("enabled", "/enabled"),
    Column("added", "/added_at"),
    Column("expires", "/expires_at"),
    Column("last used", "/last_used_at"),
];

impl ClientOf {
    fn path(&self) -> Vec<&str> {
        [&self.of.all("clients")[..], &[&self.client, "secrets"]].concat()
    }
}

impl SecretArgs {
    async fn open(&self) -> Result<Api, Failure> {
        Api::open(&self.of.of.api).await
    }

    fn path(&self) -> Vec<&str> {
        [&self.of.path()[..], &[&self.name]].concat()
    }
}

pub(crate) fn run(command: &SecretCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            SecretCommand::Change { secret, expiry } => {
                stand(&secret.open().await?, &secret.path(), "expires_at", expiry.at()).await
            }
            SecretCommand::Create { secret, expiry } => {
                let wanted = json!({ "name": secret.name, "expires_at": expiry.at() });
                let made = secret.open().await?.post(&secret.of.path(), Some(&wanted)).await?;
                print_once(&made.body, "value")
            }
            SecretCommand::Delete(secret) => {
                secret.open().await?.delete(&secret.path()).await?;
                Ok(Exit::Yes)
            }
            SecretCommand::Disable(secret) => {
                stand(&secret.open().await?, &secret.path(), "enabled", false.into()).await
            }
            SecretCommand::Enable(secret) => {
                stand(&secret.open().await?, &secret.path(), "enabled", true.into()).await
            }
            SecretCommand::List { of, form } => {
                form.list(COLUMNS, &Api::open(&of.of.api).await?.list(&of.path()).await?)
            }
            SecretCommand::Show { secret, form } => {
                form.one(&secret.open().await?.find(&secret.path()).await?.body, "name")
            }
        }
    })
}
