//! `keyward chain`.

mod advice;
mod certificate;
mod files;
mod show;
mod verify;

use clap::Subcommand;

use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum ChainCommand {
    /// What each certificate of a bundle is: a trust anchor or an intermediate, and why
    Show(show::ShowArgs),
    /// Whether a certificate leads to a declared anchor
    Verify(verify::VerifyArgs),
}

pub(crate) fn run(command: ChainCommand) -> Result<Exit, Failure> {
    match command {
        ChainCommand::Show(args) => show::run(&args),
        ChainCommand::Verify(args) => verify::run(&args),
    }
}
