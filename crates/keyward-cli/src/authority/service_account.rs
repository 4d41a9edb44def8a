//! Service accounts: machines that have tokens in their own name.

use clap::Args;
use serde_json::{Map, Value, json};

use super::kind::{Kind, Members, RealmOf, object};
use super::table::Column;
use crate::exit::Failure;

/// What is set of a service account.
#[derive(Args, Debug)]
pub(crate) struct ServiceAccountArgs {
    /// What it is for, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A resource server that it may have tokens for; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// A scope that it may have; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Where its public keys are, beside those that are uploaded
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
}

impl Kind for ServiceAccountArgs {
    type Of = RealmOf;

    const NAME: &'static str = "ID";
    const NAMED: &'static str = "sub of its tokens";
    const MEMBER: &'static str = "id";
    const CREATED: &'static str = "\
Examples:
  keyward authority service-account create robot --realm main --audience https://api.example --scope read ...
  (umask 077; keyward authority key generate --realm main --service-account robot --format zitadel ... > robot.json)
  keyward token request --issuer https://auth.example/realms/main --key-file robot.json

It has tokens in its own name, by the JWT-bearer grant with a key of its own.";
    const CHANGED: &'static str = "\
Examples:
  keyward authority service-account change robot --realm main --add scope=write ...
  keyward authority service-account change robot --realm main --audience https://api.example ...
  keyward authority service-account change robot --realm main --jwks-uri https://robot.example/jwks ...

A flag of a list says the whole list; --add and --remove take one value of it.";
    const COLUMNS: &'static [Column] = &[
        Column("id", "/id"),
        Column("enabled", "/enabled"),
        Column("scopes", "/scopes"),
        Column("audiences", "/audiences"),
        Column("description", "/description"),
    ];
    const LISTS: &'static [(&'static str, &'static str)] =
        &[("audience", "/audiences"), ("scope", "/scopes")];

    fn collection(of: &RealmOf) -> Vec<&str> {
        of.all("service-accounts")
    }

    fn fresh(&self, _: &RealmOf, id: &str) -> Result<Map<String, Value>, Failure> {
        Ok(object(json!({ "id": id, "enabled": true })))
    }

    fn members(&self) -> Map<String, Value> {
        let members = Members::default()
            .with("description", self.description.as_deref())
            .with_list("audiences", &self.audience)
            .with_list("scopes", &self.scope)
            .with("jwks_uri", self.jwks_uri.as_deref());
        members.0
    }
}
