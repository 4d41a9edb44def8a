//! `keyward token`.

mod explanation;
mod inspect;
mod judge;
mod lines;
mod policy;
pub(crate) mod request;
mod route;
mod signer;
mod verify;
mod why;

use clap::Subcommand;

use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// A verdict for each token on standard input
    Verify(verify::VerifyArgs),
    /// What a token says, which key signed it, and what a route would say of it, for a person
    Inspect(inspect::InspectArgs),
    /// Fetch an access token with client credentials
    Request(request::RequestArgs),
}

pub(crate) fn run(command: TokenCommand) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Inspect(args) => inspect::run(&args),
        TokenCommand::Request(args) => request::run(&args),
        TokenCommand::Verify(args) => verify::run(&args),
    }
}
