//! `keyward authority signing-key`: what a realm signs tokens with.

use clap::{Args, Subcommand};

use super::api::Api;
use super::kind::RealmOf;
use super::table::{Column, Form};
use crate::exit::{Exit, Failure};
use crate::runtime;

/// What a realm signs tokens with.
#[derive(Debug, Subcommand)]
pub(crate) enum SigningKeyCommand {
    /// List the keys and their states
    #[command(after_help = "\
Examples:
  keyward authority signing-key list --realm main --server https://auth.example --key-file administrator.json

published: verifiers can fetch it already. active: it signs. passive: what it signed is still good. retired: gone.")]
    List {
        #[command(flatten)]
        of: RealmOf,
        #[command(flatten)]
        form: Form,
    },
    /// Let other keys sign, as soon as every verifier knows them
    #[command(after_help = "\
Examples:
  keyward authority signing-key rotate --realm main ...

New keys are published at once, and sign when the realm's --publish-for is over.")]
    Rotate(RealmOf),
    /// Withdraw a key that nothing needs any more; the last one that signs stays
    #[command(after_help = "\
Examples:
  keyward authority signing-key retire --realm main 4ELnMm9Ie_81cq-2otwV0GqylFHLBH-Cki8rz6lIZLA ...")]
    Retire(SigningKeyArgs),
    /// Withdraw a key at once that somebody else may have; what it signed is good no more
    #[command(after_help = "\
Examples:
  keyward authority signing-key withdraw-compromised --realm main 4ELnMm9Ie_81cq-2otwV0GqylFHLBH-Cki8rz6lIZLA ...")]
    WithdrawCompromised(SigningKeyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SigningKeyArgs {
    #[command(flatten)]
    of: RealmOf,
    /// The key's kid
    kid: String,
}

const COLUMNS: &[Column] = &[
    Column("kid", "/kid"),
    Column("algorithm", "/algorithm"),
    Column("state", "/state"),
    Column("published", "/published_at"),
    Column("active since", "/active_since"),
    Column("passive since", "/passive_since"),
];

pub(crate) fn run(command: &SigningKeyCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            SigningKeyCommand::List { of, form } => {
                let found = Api::open(&of.api).await?.list(&of.all("signing-keys")).await?;
                form.list(COLUMNS, &found)
            }
            SigningKeyCommand::Retire(args) => withdraw(args, "retire").await,
            SigningKeyCommand::Rotate(of) => {
                Api::open(&of.api).await?.post(&of.all("rotate-signing-keys"), None).await?;
                Ok(Exit::Yes)
            }
            SigningKeyCommand::WithdrawCompromised(args) => withdraw(args, "withdraw-compromised").await,
        }
    })
}

async fn withdraw(args: &SigningKeyArgs, how: &str) -> Result<Exit, Failure> {
    let path = [&args.of.all("signing-keys")[..], &[&args.kid, how]].concat();
    Api::open(&args.of.api).await?.post(&path, None).await?;
    Ok(Exit::Yes)
}
