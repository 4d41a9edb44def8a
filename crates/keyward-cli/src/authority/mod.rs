//! `keyward authority`: the token issuer, and what operators do with it.

mod api;
mod change;
mod client;
mod config;
mod entities;
mod events;
mod expiry;
mod identity;
mod key;
mod kind;
mod local;
mod realm;
mod resource_server;
mod secret;
mod serve;
mod service_account;
mod signer;
mod signing_key;
mod storage;
mod table;
mod upload;

use clap::Subcommand;

pub(crate) use api::ApiError;

use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  keyward authority config default > authority.toml
  openssl rand -base64 32 > master-key && chmod 600 master-key
  keyward authority bootstrap --config authority.toml bootstrap.toml
  keyward authority serve --config authority.toml

Its first start makes the storage. `keyward authority storage verify` holds what it keeps against its log.")]
pub(crate) enum AuthorityCommand {
    /// Run a node: issue tokens, answer introspection, publish keys
    Serve(serve::ServeArgs),
    /// Check an authority's configuration, or print the default one
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Make the first administrator, once
    Bootstrap(local::BootstrapArgs),
    /// Make a realm what a file says: plan, then apply
    Apply(local::ApplyArgs),
    /// Print a realm as a file
    Export(local::ExportArgs),
    /// Realms: an issuer each
    #[command(subcommand)]
    Realm(entities::RealmCommand),
    /// Resource servers: who takes tokens, and their scopes
    #[command(subcommand)]
    ResourceServer(entities::ResourceServerCommand),
    /// Clients: who may ask for tokens
    #[command(subcommand)]
    Client(entities::ClientCommand),
    /// Service accounts: machines that have tokens in their own name
    #[command(subcommand)]
    ServiceAccount(entities::ServiceAccountCommand),
    /// External signers: issuers whose tokens may be exchanged for ours
    #[command(subcommand)]
    Signer(entities::SignerCommand),
    /// Identities: whom an external signer vouches for
    #[command(subcommand)]
    Identity(entities::IdentityCommand),
    /// Keys of clients and service accounts
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Secrets of clients
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// The keys that a realm signs with
    #[command(subcommand)]
    SigningKey(signing_key::SigningKeyCommand),
    /// Who did what in a realm, and when
    Events(events::EventsArgs),
    /// Look after what is kept: the log of every change, and the state that it makes
    #[command(subcommand)]
    Storage(storage::StorageCommand),
}

pub(crate) fn run(command: AuthorityCommand) -> Result<Exit, Failure> {
    match command {
        AuthorityCommand::Apply(args) => local::run_apply(&args),
        AuthorityCommand::Bootstrap(args) => local::run_bootstrap(&args),
        AuthorityCommand::Client(command) => entities::run(&command),
        AuthorityCommand::Config(command) => config::run(command),
        AuthorityCommand::Events(args) => events::run(&args),
        AuthorityCommand::Export(args) => local::run_export(&args),
        AuthorityCommand::Identity(command) => entities::run(&command),
        AuthorityCommand::Key(command) => key::run(&command),
        AuthorityCommand::Realm(command) => entities::run(&command),
        AuthorityCommand::ResourceServer(command) => entities::run(&command),
        AuthorityCommand::Secret(command) => secret::run(&command),
        AuthorityCommand::Serve(args) => serve::run(&args),
        AuthorityCommand::ServiceAccount(command) => entities::run(&command),
        AuthorityCommand::Signer(command) => entities::run(&command),
        AuthorityCommand::SigningKey(command) => signing_key::run(&command),
        AuthorityCommand::Storage(command) => storage::run(&command),
    }
}

/// A variable of the environment, for a configuration that names one.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
