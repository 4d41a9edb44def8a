//! External signers: issuers whose tokens may be exchanged for ours.

use clap::Args;
use serde_json::{Map, Value, json};

use super::kind::{Kind, Members, RealmOf, object};
use super::table::Column;
use crate::exit::Failure;

/// What is set of an external signer.
#[derive(Args, Debug)]
pub(crate) struct SignerArgs {
    /// iss of its tokens, to the letter; a new one needs it
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// What aud of its tokens has to name; a new one needs it
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Where its keys are [default at creation: where its discovery document says]
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// Its keys are where its discovery document says
    #[arg(long, conflicts_with = "jwks_uri")]
    discovery: bool,
    /// The claim that an identity is known by [default at creation: sub]
    #[arg(long, value_name = "CLAIM")]
    id_claim: Option<String>,
    /// A resource server for those who are made just in time; may be given several times
    #[arg(long, value_name = "AUDIENCE")]
    identity_audience: Vec<String>,
    /// A scope for those; may be given several times
    #[arg(long, value_name = "SCOPE")]
    identity_scope: Vec<String>,
}

impl Kind for SignerArgs {
    type Of = RealmOf;

    const NAME: &'static str = "NAME";
    const NAMED: &'static str = "Our name for it";
    const MEMBER: &'static str = "name";
    const CREATED: &'static str = "\
Examples:
  keyward authority signer create ci --realm main --issuer https://ci.example --audience https://auth.example ...

Tokens of this issuer can be exchanged for ours (RFC 8693) by clients with the grant token-exchange.";
    const CHANGED: &'static str = "\
Examples:
  keyward authority signer change ci --realm main --jwks-uri https://ci.example/keys ...
  keyward authority signer change ci --realm main --discovery --add identity-scope=deploy ...";
    const COLUMNS: &'static [Column] = &[
        Column("name", "/name"),
        Column("enabled", "/enabled"),
        Column("issuer", "/issuer"),
        Column("audience", "/audience"),
        Column("id claim", "/id_claim"),
        Column("keys", "/keys"),
    ];
    const LISTS: &'static [(&'static str, &'static str)] =
        &[("identity-audience", "/audiences"), ("identity-scope", "/scopes")];
    const REQUIRED: &'static [&'static str] = &["issuer", "audience"];

    fn collection(of: &RealmOf) -> Vec<&str> {
        of.all("external-signers")
    }

    fn fresh(&self, _: &RealmOf, name: &str) -> Result<Map<String, Value>, Failure> {
        Ok(object(json!({ "name": name, "enabled": true, "keys": "discovery", "id_claim": "sub" })))
    }

    fn members(&self) -> Map<String, Value> {
        let keys = match &self.jwks_uri {
            Some(address) => Some(json!({ "jwks_uri": address })),
            None => self.discovery.then(|| "discovery".into()),
        };
        let members = Members::default()
            .with("issuer", self.issuer.as_deref())
            .with("audience", self.audience.as_deref())
            .with("keys", keys)
            .with("id_claim", self.id_claim.as_deref())
            .with_list("audiences", &self.identity_audience)
            .with_list("scopes", &self.identity_scope);
        members.0
    }
}
