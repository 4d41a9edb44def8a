//! `keyward authority realm|client|service-account|resource-server|signer`: what is made, looked at, disabled and deleted alike.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::{Api, ApiArgs};
use super::create::{ClientArgs, Creates, RealmArgs, ResourceServerArgs, ServiceAccountArgs, SignerArgs};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::runtime;

/// What can be done with every kind of thing; `C` is what has to be said of a new one.
#[derive(Debug, Subcommand)]
pub(crate) enum EntityCommand<C: Args> {
    /// Make a new one
    Create(C),
    /// List all, one JSON object a line
    List(ListArgs),
    /// Show one
    Show(NamedArgs),
    /// Let it in again
    Enable(NamedArgs),
    /// Let it in no more, within a second on every node; nothing of it is lost
    Disable(NamedArgs),
    /// Delete it and what belongs to it
    Delete(NamedArgs),
}

pub(crate) type RealmCommand = EntityCommand<RealmArgs>;
pub(crate) type ClientCommand = EntityCommand<ClientArgs>;
pub(crate) type ServiceAccountCommand = EntityCommand<ServiceAccountArgs>;
pub(crate) type ResourceServerCommand = EntityCommand<ResourceServerArgs>;
pub(crate) type SignerCommand = EntityCommand<SignerArgs>;

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm; not for realms themselves
    #[arg(long, value_name = "NAME")]
    realm: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct NamedArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The realm; not for realms themselves
    #[arg(long, value_name = "NAME")]
    realm: Option<String>,
    /// Which one
    name: String,
}

pub(crate) fn run<C: Creates>(command: &EntityCommand<C>) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            EntityCommand::Create(args) => {
                let path = path::<C>(args.realm())?;
                let api = Api::open(args.api()).await?;
                show(&api.post(&as_strs(&path), Some(&args.entity()?)).await?.body)
            }
            EntityCommand::Delete(args) => {
                let (api, path) = open::<C>(args).await?;
                api.delete(&as_strs(&path)).await?;
                Ok(Exit::Yes)
            }
            EntityCommand::Disable(args) => switch::<C>(args, false).await,
            EntityCommand::Enable(args) => switch::<C>(args, true).await,
            EntityCommand::List(args) => {
                let path = path::<C>(args.realm.as_deref())?;
                let api = Api::open(&args.api).await?;
                show_all(&api.list(&as_strs(&path)).await?)
            }
            EntityCommand::Show(args) => {
                let (api, path) = open::<C>(args).await?;
                show(&api.find(&as_strs(&path)).await?.body)
            }
        }
    })
}

/// Nothing else of it becomes otherwise than it was when it was read.
async fn switch<C: Creates>(args: &NamedArgs, enabled: bool) -> Result<Exit, Failure> {
    let (api, path) = open::<C>(args).await?;
    let found = api.find(&as_strs(&path)).await?;
    let mut entity = found.body;
    if let Some(member) = entity.get_mut("enabled") {
        *member = Value::Bool(enabled);
    }
    api.put(&as_strs(&path), &entity, &found.version.unwrap_or_default()).await?;
    Ok(Exit::Yes)
}

async fn open<C: Creates>(args: &NamedArgs) -> Result<(Api, Vec<String>), Failure> {
    let mut path = path::<C>(args.realm.as_deref())?;
    path.push(args.name.clone());
    Ok((Api::open(&args.api).await?, path))
}

/// Where all of a kind are.
fn path<C: Creates>(realm: Option<&str>) -> Result<Vec<String>, Failure> {
    let segments = match (C::SEGMENT, realm) {
        (None, None) => vec!["realms"],
        (Some(segment), Some(realm)) => vec!["realms", realm, segment],
        (None, Some(_)) => {
            return Err(Failure::Usage("a realm is in no other: leave --realm out".to_owned()));
        }
        (Some(_), None) => return Err(Failure::Usage("say with --realm in which realm".to_owned())),
    };
    Ok(segments.into_iter().map(str::to_owned).collect())
}

fn as_strs(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// One JSON object.
pub(super) fn show(value: &Value) -> Result<Exit, Failure> {
    show_all(std::slice::from_ref(value))
}

/// One JSON object a line.
pub(super) fn show_all(values: &[Value]) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    values.iter().try_for_each(|value| output.json(value))?;
    output.flush()?;
    Ok(Exit::Yes)
}
