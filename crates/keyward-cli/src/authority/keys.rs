//! `keyward authority key|secret|signing-key`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::api::{Api, ApiArgs};
use super::entities::{show, show_all};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::runtime;

/// What clients and service accounts sign assertions with.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Add a public key that its owner made: a JWK, PEM or a certificate
    #[command(after_help = "\
Examples:
  openssl genpkey -algorithm ed25519 -out robot.key && openssl pkey -in robot.key -pubout -out robot.pub
  keyward authority key add --realm main --service-account robot robot.pub ...")]
    Add {
        #[command(flatten)]
        owner: OwnerArgs,
        /// The file
        file: PathBuf,
    },
    /// Make a key, and print its private half this once
    #[command(after_help = "\
Examples:
  (umask 077; keyward authority key generate --realm main --service-account robot --format zitadel ... > robot.json)

The private half goes to stdout and is kept nowhere.")]
    Generate {
        #[command(flatten)]
        owner: OwnerArgs,
        /// What it signs with: ES256, EdDSA, RS256 or PS256
        #[arg(long, value_name = "ALGORITHM", default_value = "ES256")]
        algorithm: String,
        /// What the file looks like
        #[arg(long, value_name = "FORMAT", default_value = "jwk")]
        format: Format,
    },
    /// List the public keys, one JSON object a line
    List(OwnerArgs),
    /// Take a key again
    Enable(OwnedArgs),
    /// Take a key no more, within a second on every node
    Disable(OwnedArgs),
    /// Delete a key
    Delete(OwnedArgs),
}

/// What clients show who they are with.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Make a secret, and print it this once
    #[command(after_help = "\
Examples:
  (umask 077; keyward authority secret create --realm main --client shop second ... > shop.secret)
  keyward authority secret disable --realm main --client shop first ...

A client has up to three, so that one can take another's place without a gap. They are kept as argon2id hashes.")]
    Create(SecretArgs),
    /// List the secrets' names and times, one JSON object a line
    List {
        #[command(flatten)]
        of: ClientOf,
    },
    /// Take a secret again
    Enable(SecretArgs),
    /// Take a secret no more, within a second on every node
    Disable(SecretArgs),
    /// Delete a secret
    Delete(SecretArgs),
}

/// What a realm signs tokens with.
#[derive(Debug, Subcommand)]
pub(crate) enum SigningKeyCommand {
    /// List the keys and their states, one JSON object a line
    List(RealmOf),
    /// Let other keys sign, as soon as every verifier knows them
    Rotate(RealmOf),
    /// Withdraw a key that nothing needs any more; the last one that signs stays
    Retire(SigningKeyArgs),
    /// Withdraw a key at once that somebody else may have; what it signed is good no more
    WithdrawCompromised(SigningKeyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RealmOf {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm
    #[arg(long, value_name = "NAME")]
    realm: String,
}

#[derive(Args, Debug)]
pub(crate) struct SigningKeyArgs {
    #[command(flatten)]
    of: RealmOf,
    /// The key's kid
    kid: String,
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

#[derive(Args, Debug)]
pub(crate) struct OwnerArgs {
    #[command(flatten)]
    of: RealmOf,
    /// Whose: a client's
    #[arg(long, value_name = "ID", required_unless_present = "service_account")]
    client: Option<String>,
    /// Whose: a service account's
    #[arg(long, value_name = "ID", conflicts_with = "client")]
    service_account: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct OwnedArgs {
    #[command(flatten)]
    owner: OwnerArgs,
    /// The key's kid
    kid: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A private JWK
    Jwk,
    /// PKCS#8 in PEM
    Pem,
    /// JSON in the shape of Zitadel's key files
    Zitadel,
}

impl OwnerArgs {
    /// Where its keys are, or are made.
    fn path<'a>(&'a self, last: &'a str) -> Vec<&'a str> {
        let (kind, id) = match (&self.client, &self.service_account) {
            (Some(client), _) => ("clients", client.as_str()),
            (None, account) => ("service-accounts", account.as_deref().unwrap_or_default()),
        };
        vec!["realms", &self.of.realm, kind, id, last]
    }
}

impl OwnedArgs {
    fn path(&self) -> Vec<&str> {
        let mut path = self.owner.path("keys");
        path.push(&self.kid);
        path
    }
}

impl ClientOf {
    fn path(&self) -> Vec<&str> {
        vec!["realms", &self.of.realm, "clients", &self.client, "secrets"]
    }
}

impl SecretArgs {
    fn path(&self) -> Vec<&str> {
        let mut path = self.of.path();
        path.push(&self.name);
        path
    }
}

pub(crate) fn run_keys(command: &KeyCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            KeyCommand::Add { owner, file } => {
                let path = || file.display().to_string();
                let text =
                    std::fs::read_to_string(file).map_err(|cause| Failure::File { path: path(), cause })?;
                let uploaded = match serde_json::from_str::<Value>(&text) {
                    Ok(jwk) => json!({ "jwk": jwk }),
                    Err(_) => json!({ "pem": text }),
                };
                let api = Api::open(&owner.of.api).await?;
                show(&api.post(&owner.path("keys"), Some(&uploaded)).await?.body)
            }
            KeyCommand::Delete(args) => {
                Api::open(&args.owner.of.api).await?.delete(&args.path()).await?;
                Ok(Exit::Yes)
            }
            KeyCommand::Disable(args) => switch_key(args, false).await,
            KeyCommand::Enable(args) => switch_key(args, true).await,
            KeyCommand::Generate { owner, algorithm, format } => {
                let format = match format {
                    Format::Jwk => "jwk",
                    Format::Pem => "pem",
                    Format::Zitadel => "zitadel",
                };
                let wanted = json!({ "algorithm": algorithm, "format": format });
                let api = Api::open(&owner.of.api).await?;
                let made = api.post(&owner.path("generated-keys"), Some(&wanted)).await?.body;
                print_once(&made, "file")
            }
            KeyCommand::List(owner) => {
                let api = Api::open(&owner.of.api).await?;
                show_all(&api.list(&owner.path("keys")).await?)
            }
        }
    })
}

pub(crate) fn run_secrets(command: &SecretCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            SecretCommand::Create(args) => {
                let api = Api::open(&args.of.of.api).await?;
                let made = api.post(&args.of.path(), Some(&json!({ "name": args.name }))).await?.body;
                print_once(&made, "value")
            }
            SecretCommand::Delete(args) => {
                Api::open(&args.of.of.api).await?.delete(&args.path()).await?;
                Ok(Exit::Yes)
            }
            SecretCommand::Disable(args) => switch_secret(args, false).await,
            SecretCommand::Enable(args) => switch_secret(args, true).await,
            SecretCommand::List { of } => {
                let api = Api::open(&of.of.api).await?;
                show_all(&api.list(&of.path()).await?)
            }
        }
    })
}

pub(crate) fn run_signing_keys(command: &SigningKeyCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            SigningKeyCommand::List(of) => {
                let api = Api::open(&of.api).await?;
                show_all(&api.list(&["realms", &of.realm, "signing-keys"]).await?)
            }
            SigningKeyCommand::Retire(args) => withdraw(args, "retire").await,
            SigningKeyCommand::Rotate(of) => {
                let api = Api::open(&of.api).await?;
                api.post(&["realms", &of.realm, "rotate-signing-keys"], None).await?;
                Ok(Exit::Yes)
            }
            SigningKeyCommand::WithdrawCompromised(args) => withdraw(args, "withdraw-compromised").await,
        }
    })
}

async fn withdraw(args: &SigningKeyArgs, how: &str) -> Result<Exit, Failure> {
    let api = Api::open(&args.of.api).await?;
    api.post(&["realms", &args.of.realm, "signing-keys", &args.kid, how], None).await?;
    Ok(Exit::Yes)
}

async fn switch_key(args: &OwnedArgs, enabled: bool) -> Result<Exit, Failure> {
    let api = Api::open(&args.owner.of.api).await?;
    switch(&api, &args.path(), enabled).await
}

async fn switch_secret(args: &SecretArgs, enabled: bool) -> Result<Exit, Failure> {
    let api = Api::open(&args.of.of.api).await?;
    switch(&api, &args.path(), enabled).await
}

/// Of a key or a secret only its standing is sent.
async fn switch(api: &Api, path: &[&str], enabled: bool) -> Result<Exit, Failure> {
    let found = api.find(path).await?;
    let standing = json!({ "enabled": enabled, "expires_at": found.body.get("expires_at") });
    api.put(path, &standing, &found.version.unwrap_or_default()).await?;
    Ok(Exit::Yes)
}

/// What nobody is shown a second time.
fn print_once(made: &Value, member: &str) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    let text = made.get(member).and_then(Value::as_str).unwrap_or_default();
    output.line(text.trim_end())?;
    output.flush()?;
    Ok(Exit::Yes)
}
