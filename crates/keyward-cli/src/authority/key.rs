//! `keyward authority key`: what clients and service accounts sign assertions with.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::api::Api;
use super::expiry::{Expiry, NewExpiry};
use super::kind::RealmOf;
use super::table::{Column, Form};
use super::upload::{Owner, PublicHalf};
use crate::exit::{Exit, Failure};
use crate::output::{Output, tell};
use crate::runtime;

/// What clients and service accounts sign assertions with.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Add the public half of a key that its owner has
    #[command(after_help = "\
Examples:
  openssl genpkey -algorithm ed25519 -out robot.key
  keyward authority key upload --realm main --service-account robot --file robot.key ...
  keyward authority key upload --realm main --file serviceaccount.json ...
  keyward authority key upload --realm main --client shop --file shop.crt --expires-in 365d ...

The file is a JWK, a key or a certificate in PEM, or a key file of Zitadel's. The last says whose key it is, its name (keyId) and
when it ends. Whatever is in the file, nothing but the public half leaves this machine.")]
    Upload(UploadArgs),
    /// Make a key, and print its private half this once
    #[command(after_help = "\
Examples:
  (umask 077; keyward authority key generate --realm main --service-account robot --format zitadel ... > robot.json)
  (umask 077; keyward authority key generate --realm main --client shop --expires-in 90d ... > shop.jwk)

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
        #[command(flatten)]
        expiry: Expiry,
    },
    /// List the public keys, and when each was last used
    #[command(after_help = "\
Examples:
  keyward authority key list --realm main --service-account robot ...
  keyward authority key list --realm main --client shop --json ...")]
    List {
        #[command(flatten)]
        owner: OwnerArgs,
        #[command(flatten)]
        form: Form,
    },
    /// Show one public key
    Show {
        #[command(flatten)]
        key: OwnedArgs,
        #[command(flatten)]
        form: Form,
    },
    /// Say until when a key is taken
    #[command(after_help = "\
Examples:
  keyward authority key change --realm main --service-account robot robot-1 --expires-in 7d ...
  keyward authority key change --realm main --service-account robot robot-1 --never-expires ...")]
    Change {
        #[command(flatten)]
        key: OwnedArgs,
        #[command(flatten)]
        expiry: NewExpiry,
    },
    /// Take a key again
    Enable(OwnedArgs),
    /// Take a key no more, within a second on every node
    Disable(OwnedArgs),
    /// Delete a key
    Delete(OwnedArgs),
}

#[derive(Args, Debug)]
pub(crate) struct UploadArgs {
    #[command(flatten)]
    of: RealmOf,
    /// Whose: a client's [default: what a key file of Zitadel's says]
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Whose: a service account's [default: what a key file of Zitadel's says]
    #[arg(long, value_name = "ID", conflicts_with = "client")]
    service_account: Option<String>,
    /// The file
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// What assertions call the key [default: what the file says, else its RFC 7638 thumbprint]
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
    /// A file with the passphrase in one line, where the private half is encrypted
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    form: Form,
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

const COLUMNS: &[Column] = &[
    Column("kid", "/kid"),
    Column("enabled", "/enabled"),
    Column("type", "/jwk/kty"),
    Column("origin", "/origin"),
    Column("added", "/added_at"),
    Column("expires", "/expires_at"),
    Column("last used", "/last_used_at"),
];

impl OwnerArgs {
    async fn open(&self) -> Result<Api, Failure> {
        Api::open(&self.of.api).await
    }

    /// Where its keys are, or are made.
    fn path<'a>(&'a self, last: &'a str) -> Vec<&'a str> {
        let owner = Owner::named(self.client.as_deref(), self.service_account.as_deref());
        owner.map_or_else(Vec::new, |owner| path(&self.of, owner, last))
    }
}

impl OwnedArgs {
    async fn open(&self) -> Result<Api, Failure> {
        self.owner.open().await
    }

    fn path(&self) -> Vec<&str> {
        [&self.owner.path("keys")[..], &[&self.kid]].concat()
    }
}

fn path<'a>(of: &'a RealmOf, owner: Owner<'a>, last: &'a str) -> Vec<&'a str> {
    let (segment, id) = match owner {
        Owner::Client(id) => ("clients", id),
        Owner::ServiceAccount(id) => ("service-accounts", id),
    };
    [&of.all(segment)[..], &[id, last]].concat()
}

pub(crate) fn run(command: &KeyCommand) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            KeyCommand::Change { key, expiry } => {
                stand(&key.open().await?, &key.path(), "expires_at", expiry.at()).await
            }
            KeyCommand::Delete(key) => {
                key.open().await?.delete(&key.path()).await?;
                Ok(Exit::Yes)
            }
            KeyCommand::Disable(key) => stand(&key.open().await?, &key.path(), "enabled", false.into()).await,
            KeyCommand::Enable(key) => stand(&key.open().await?, &key.path(), "enabled", true.into()).await,
            KeyCommand::Generate { owner, algorithm, format, expiry } => {
                let format = match format {
                    Format::Jwk => "jwk",
                    Format::Pem => "pem",
                    Format::Zitadel => "zitadel",
                };
                let wanted = json!({ "algorithm": algorithm, "format": format, "expires_at": expiry.at() });
                let made = owner.open().await?.post(&owner.path("generated-keys"), Some(&wanted)).await?;
                print_once(&made.body, "file")
            }
            KeyCommand::List { owner, form } => {
                form.list(COLUMNS, &owner.open().await?.list(&owner.path("keys")).await?)
            }
            KeyCommand::Show { key, form } => {
                form.one(&key.open().await?.find(&key.path()).await?.body, "kid")
            }
            KeyCommand::Upload(args) => upload(args).await,
        }
    })
}

async fn upload(args: &UploadArgs) -> Result<Exit, Failure> {
    let half = PublicHalf::read(&args.file, args.kid.as_deref(), args.passphrase_file.as_deref())?;
    let named = Owner::named(args.client.as_deref(), args.service_account.as_deref());
    let owner = half.owner(named)?;
    let upload = json!({ "jwk": half.jwk, "expires_at": args.expiry.at().or(half.expires_at) });
    let api = Api::open(&args.of.api).await?;
    let added = api.post(&path(&args.of, owner, "keys"), Some(&upload)).await?.body;
    if half.was_private {
        tell(format_args!("{}: its public half was sent, and nothing else", args.file.display()));
    }
    if let Some(warning) = half.warning(owner) {
        tell(warning);
    }
    args.form.one(&added, "kid")
}

/// Of a key or a secret only its standing is sent; the rest of that stays as it was read.
pub(super) async fn stand(api: &Api, path: &[&str], member: &str, value: Value) -> Result<Exit, Failure> {
    let found = api.find(path).await?;
    let mut standing = json!({
        "enabled": found.body.get("enabled"),
        "expires_at": found.body.get("expires_at"),
    });
    if let Some(place) = standing.get_mut(member) {
        *place = value;
    }
    api.put(path, &standing, &found.version.unwrap_or_default()).await?;
    Ok(Exit::Yes)
}

/// What nobody is shown a second time.
pub(super) fn print_once(made: &Value, member: &str) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    let text = made.get(member).and_then(Value::as_str).unwrap_or_default();
    output.line(text.trim_end())?;
    output.flush()?;
    Ok(Exit::Yes)
}
