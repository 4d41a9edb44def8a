//! Identities: whom an external signer vouches for.

use clap::Args;
use serde_json::{Map, Value, json};

use super::api::ApiArgs;
use super::kind::{Kind, Members, Of, RealmOf, object};
use super::table::Column;
use crate::exit::Failure;

/// What is set of an identity.
#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    /// sub of its tokens; a new one needs it
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// A resource server that it may have tokens for; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// A scope that it may have; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
}

/// Of an external signer.
#[derive(Args, Debug)]
pub(crate) struct SignerOf {
    #[command(flatten)]
    of: RealmOf,
    /// The external signer, by our name for it
    #[arg(long, value_name = "NAME")]
    signer: String,
}

impl Of for SignerOf {
    fn api(&self) -> &ApiArgs {
        &self.of.api
    }
}

impl Kind for IdentityArgs {
    type Of = SignerOf;

    const NAME: &'static str = "EXTERNAL_ID";
    const NAMED: &'static str = "The signer's name for it: what the claim says that identities are known by";
    const MEMBER: &'static str = "external_id";
    const CREATED: &'static str = "\
Examples:
  keyward authority identity create repo:shop:ref:main --realm main --signer ci --subject shop-deploy \\
      --audience https://api.example --scope deploy ...";
    const CHANGED: &'static str = "\
Examples:
  keyward authority identity change repo:shop:ref:main --realm main --signer ci --add scope=deploy ...";
    const COLUMNS: &'static [Column] = &[
        Column("external id", "/external_id"),
        Column("subject", "/subject"),
        Column("enabled", "/enabled"),
        Column("just in time", "/just_in_time"),
        Column("scopes", "/scopes"),
        Column("audiences", "/audiences"),
    ];
    const LISTS: &'static [(&'static str, &'static str)] =
        &[("audience", "/audiences"), ("scope", "/scopes")];
    const REQUIRED: &'static [&'static str] = &["subject"];

    fn collection(of: &SignerOf) -> Vec<&str> {
        vec!["realms", &of.of.realm, "external-signers", &of.signer, "identities"]
    }

    fn fresh(&self, of: &SignerOf, external_id: &str) -> Result<Map<String, Value>, Failure> {
        Ok(object(json!({
            "signer": of.signer,
            "external_id": external_id,
            "enabled": true,
            "just_in_time": false,
        })))
    }

    fn members(&self) -> Map<String, Value> {
        let members = Members::default()
            .with("subject", self.subject.as_deref())
            .with_list("audiences", &self.audience)
            .with_list("scopes", &self.scope);
        members.0
    }
}
