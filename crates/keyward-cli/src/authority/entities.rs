//! `keyward authority realm|client|service-account|resource-server|signer|identity`: what is made, looked at, changed, disabled and
//! deleted alike.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::Api;
use super::change::{Changes, Given};
use super::client::ClientArgs;
use super::identity::IdentityArgs;
use super::kind::{Kind, Of as _};
use super::realm::RealmArgs;
use super::resource_server::ResourceServerArgs;
use super::service_account::ServiceAccountArgs;
use super::signer::SignerArgs;
use super::table::Form;
use crate::exit::{Exit, Failure};
use crate::runtime;

/// What can be done with every kind of thing.
#[derive(Debug, Subcommand)]
pub(crate) enum EntityCommand<K: Kind> {
    /// Make a new one
    Create(CreateArgs<K>),
    /// List all
    List(ListArgs<K>),
    /// Show one
    Show(ShowArgs<K>),
    /// Change what is said, and leave the rest as it is
    Change(ChangeArgs<K>),
    /// Let it in again
    Enable(NamedArgs<K>),
    /// Let it in no more, within a second on every node; nothing of it is lost
    Disable(NamedArgs<K>),
    /// Delete it and what belongs to it
    Delete(NamedArgs<K>),
}

pub(crate) type RealmCommand = EntityCommand<RealmArgs>;
pub(crate) type ClientCommand = EntityCommand<ClientArgs>;
pub(crate) type ServiceAccountCommand = EntityCommand<ServiceAccountArgs>;
pub(crate) type ResourceServerCommand = EntityCommand<ResourceServerArgs>;
pub(crate) type SignerCommand = EntityCommand<SignerArgs>;
pub(crate) type IdentityCommand = EntityCommand<IdentityArgs>;

#[derive(Args, Debug)]
#[command(after_help = K::CREATED)]
pub(crate) struct CreateArgs<K: Kind> {
    #[command(flatten)]
    named: NamedArgs<K>,
    #[command(flatten)]
    given: Given<K>,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
#[command(after_help = K::CHANGED)]
pub(crate) struct ChangeArgs<K: Kind> {
    #[command(flatten)]
    named: NamedArgs<K>,
    #[command(flatten)]
    changes: Changes<K>,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs<K: Kind> {
    #[command(flatten)]
    of: K::Of,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs<K: Kind> {
    #[command(flatten)]
    named: NamedArgs<K>,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
pub(crate) struct NamedArgs<K: Kind> {
    #[command(flatten)]
    of: K::Of,
    #[arg(value_name = K::NAME, help = K::NAMED)]
    name: String,
}

pub(crate) fn run<K: Kind>(command: &EntityCommand<K>) -> Result<Exit, Failure> {
    runtime::single()?.block_on(async {
        match command {
            EntityCommand::Change(args) => {
                let changed = change(&args.named, |entity| args.changes.apply(entity)).await?;
                args.form.one(&changed, K::MEMBER)
            }
            EntityCommand::Create(CreateArgs { named, given, form }) => {
                let entity = given.entity(&named.of, &named.name)?;
                let api = Api::open(named.of.api()).await?;
                let made = api.post(&K::collection(&named.of), Some(&entity)).await?;
                form.one(&made.body, K::MEMBER)
            }
            EntityCommand::Delete(named) => {
                Api::open(named.of.api()).await?.delete(&named.path()).await?;
                Ok(Exit::Yes)
            }
            EntityCommand::Disable(named) => switch(named, false).await,
            EntityCommand::Enable(named) => switch(named, true).await,
            EntityCommand::List(ListArgs { of, form }) => {
                let found = Api::open(of.api()).await?.list(&K::collection(of)).await?;
                form.list(K::COLUMNS, &found)
            }
            EntityCommand::Show(ShowArgs { named, form }) => {
                let found = Api::open(named.of.api()).await?.find(&named.path()).await?;
                form.one(&found.body, K::MEMBER)
            }
        }
    })
}

async fn switch<K: Kind>(named: &NamedArgs<K>, enabled: bool) -> Result<Exit, Failure> {
    let switched = |entity: &mut Value| {
        if let Some(members) = entity.as_object_mut() {
            members.insert("enabled".to_owned(), enabled.into());
        }
        Ok(())
    };
    change(named, switched).await?;
    Ok(Exit::Yes)
}

/// Nothing else of it becomes otherwise than it was when it was read.
async fn change<K: Kind>(
    named: &NamedArgs<K>,
    changed: impl FnOnce(&mut Value) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let api = Api::open(named.of.api()).await?;
    let mut found = api.find(&named.path()).await?;
    changed(&mut found.body)?;
    let version = found.version.unwrap_or_default();
    Ok(api.put(&named.path(), &found.body, &version).await?.body)
}

impl<K: Kind> NamedArgs<K> {
    fn path(&self) -> Vec<&str> {
        let mut path = K::collection(&self.of);
        path.push(&self.name);
        path
    }
}
