//! The command line as a whole.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::authority::AuthorityCommand;
use crate::chain::ChainCommand;
use crate::config::ConfigCommand;
use crate::doctor::DoctorArgs;
use crate::drill::DrillCommand;
use crate::exit::{Exit, Failure};
use crate::gateway::GatewayArgs;
use crate::keys::KeysCommand;
use crate::manual::{CompletionsArgs, ManArgs};
use crate::output::tell;
use crate::reference::ReferenceArgs;
use crate::token::TokenCommand;
use crate::up::UpArgs;
use crate::{authority, chain, config, doctor, drill, gateway, keys, manual, reference, token, up};

const AFTER_HELP: &str = "\
Examples:
  keyward up                                      try it on this machine
  keyward gateway --config keyward.toml           answer nginx, Traefik or Caddy
  keyward authority serve --config authority.toml issue tokens
  keyward token verify --jwks keys.json < tokens  a verdict for each token
  keyward token inspect < token                   what a token says
  keyward doctor --config keyward.toml            what is wrong, and what mends it
  keyward keys check https://idp.example/jwks     which keys can be used
  keyward chain show bundle.pem                   which certificates are anchors
  keyward drill run --all                         what an outage would do

Exit codes:
  0   yes
  1   no: something was rejected or found
  2   nobody can tell, or the command could not run
  64  the command line makes no sense

Results go to stdout, everything else to stderr. Secrets are read from files or
standard input, never from arguments.";

/// Verify OAuth 2.0 and OpenID Connect tokens, and keep verifying while their provider fails
#[derive(Debug, Parser)]
#[command(name = "keyward", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: an issuer, a gateway and a service on this machine
    Up(UpArgs),
    /// Answer proxies that ask whether a request may pass
    Gateway(GatewayArgs),
    /// Issue tokens: realms, clients, service accounts and their keys
    #[command(subcommand)]
    Authority(AuthorityCommand),
    /// Verify, read or fetch tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Look at published keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look at certificates and the trust anchors they lead to
    #[command(subcommand)]
    Chain(ChainCommand),
    /// Check a configuration, or print the default one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Find out what is wrong with an issuer, a gateway or a token, and what mends it
    Doctor(Box<DoctorArgs>),
    /// Replay incidents: against this gateway, against another, or in virtual time
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(ManArgs),
    /// Print a page of the reference that is made from the code
    #[command(hide = true)]
    Reference(ReferenceArgs),
}

/// The command line's description, from which its reference is made.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line `arguments`, the program's name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, on stdout; where they cannot be written nobody reads them.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Yes.into() };
        }
    };
    match cli.command.run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.is_broken_pipe() {
                tell(&failure);
            }
            failure.exit().into()
        }
    }
}

impl Command {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Authority(command) => authority::run(command),
            Self::Chain(command) => chain::run(command),
            Self::Completions(args) => manual::completions(&args),
            Self::Config(command) => config::run(command),
            Self::Doctor(args) => doctor::run(*args),
            Self::Drill(command) => drill::run(command),
            Self::Gateway(args) => gateway::run(&args),
            Self::Keys(command) => keys::run(command),
            Self::Man(args) => manual::man(&args),
            Self::Reference(args) => reference::run(&args),
            Self::Token(command) => token::run(command),
            Self::Up(args) => up::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
