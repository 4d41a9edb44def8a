//! Resource servers: who takes tokens.

use clap::Args;
use serde_json::{Map, Value, json};

use super::kind::{Kind, Members, RealmOf, object};
use super::table::Column;
use crate::exit::Failure;

/// What is set of a resource server.
#[derive(Args, Debug)]
pub(crate) struct ResourceServerArgs {
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// One of its scopes; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Whether its tokens cannot be read, so that only introspection tells
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    opaque: Option<bool>,
    /// How long its tokens are good, in seconds [default: the realm's]
    #[arg(long, value_name = "SECONDS")]
    access_token_lifetime: Option<u64>,
    /// What its tokens are signed with [default: the realm's first]
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<String>,
    /// The client that may ask about its tokens
    #[arg(long, value_name = "CLIENT")]
    introspected_by: Option<String>,
}

impl Kind for ResourceServerArgs {
    type Of = RealmOf;

    const NAME: &'static str = "AUDIENCE";
    const NAMED: &'static str = "aud of its tokens, and what is asked for as `resource`";
    const MEMBER: &'static str = "audience";
    const CREATED: &'static str = "\
Examples:
  keyward authority resource-server create https://api.example --realm main --scope read --scope write ...
  keyward authority resource-server create urn:ledger --realm main --opaque --introspected-by ledger ...";
    const CHANGED: &'static str = "\
Examples:
  keyward authority resource-server change https://api.example --realm main --add scope=delete ...
  keyward authority resource-server change https://api.example --realm main --introspected-by api ...
  keyward authority resource-server change https://api.example --realm main --unset access_token_lifetime ...";
    const COLUMNS: &'static [Column] = &[
        Column("audience", "/audience"),
        Column("enabled", "/enabled"),
        Column("tokens", "/token_format"),
        Column("lifetime", "/access_token_lifetime"),
        Column("introspected by", "/introspected_by"),
        Column("scopes", "/scopes"),
    ];
    const LISTS: &'static [(&'static str, &'static str)] = &[("scope", "/scopes")];

    fn collection(of: &RealmOf) -> Vec<&str> {
        of.all("resource-servers")
    }

    fn fresh(&self, _: &RealmOf, audience: &str) -> Result<Map<String, Value>, Failure> {
        Ok(object(json!({ "audience": audience, "enabled": true, "token_format": "jwt" })))
    }

    fn members(&self) -> Map<String, Value> {
        let members = Members::default()
            .with("description", self.description.as_deref())
            .with_list("scopes", &self.scope)
            .with("token_format", self.opaque.map(|is_opaque| if is_opaque { "opaque" } else { "jwt" }))
            .with("access_token_lifetime", self.access_token_lifetime)
            .with("algorithm", self.algorithm.as_deref())
            .with("introspected_by", self.introspected_by.as_deref());
        members.0
    }
}
