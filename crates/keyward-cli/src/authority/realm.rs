//! Realms: an issuer each.

use clap::Args;
use serde_json::{Map, Value};

use super::api::{ApiArgs, body};
use super::kind::{Kind, Members, object};
use super::table::Column;
use crate::exit::Failure;

/// What is set of a realm.
#[derive(Args, Debug)]
pub(crate) struct RealmArgs {
    /// What it signs with: ES256, EdDSA, RS256 or PS256; the first one unless a resource server wants another; may be
    /// given several times [default at creation: ES256]
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Vec<String>,
    /// How long a signing key is published before it signs, in seconds [default at creation: 7200]
    #[arg(long, value_name = "SECONDS")]
    publish_for: Option<u64>,
    /// How long a key signs before another takes its place, in seconds [default at creation: 30 days]
    #[arg(long, value_name = "SECONDS")]
    sign_for: Option<u64>,
    /// How long an access token is good, in seconds [default at creation: 300]
    #[arg(long, value_name = "SECONDS")]
    access_token_lifetime: Option<u64>,
    /// How long a refresh token is good after its last use, in seconds [default at creation: 86400]
    #[arg(long, value_name = "SECONDS")]
    refresh_token_lifetime: Option<u64>,
    /// Whether whoever an external signer vouches for becomes an identity at the first exchange
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    just_in_time: Option<bool>,
}

impl Kind for RealmArgs {
    type Of = ApiArgs;

    const NAME: &'static str = "NAME";
    const NAMED: &'static str = "Its name, as it stands in its address";
    const MEMBER: &'static str = "name";
    const CREATED: &'static str = "\
Examples:
  keyward authority realm create main --server https://auth.example --key-file administrator.json
  keyward authority realm create bank --algorithm ES256 --algorithm RS256 --access-token-lifetime 120 ...

Its issuer is https://auth.example/realms/NAME. It has its first signing key from the beginning.";
    const CHANGED: &'static str = "\
Examples:
  keyward authority realm change main --access-token-lifetime 120 --server https://auth.example --key-file administrator.json
  keyward authority realm change main --publish-for 14400 --sign-for 604800 ...
  keyward authority realm change main --add algorithm=RS256 ...
  keyward authority realm change main --just-in-time=false ...

A key of a new algorithm signs when it was published for long enough. `signing-key rotate` does not wait for --sign-for.";
    const COLUMNS: &'static [Column] = &[
        Column("name", "/name"),
        Column("enabled", "/enabled"),
        Column("access token", "/access_token_lifetime"),
        Column("refresh token", "/refresh_token_lifetime"),
        Column("just in time", "/just_in_time"),
        Column("published for", "/rotation/publish_for"),
        Column("signs for", "/rotation/sign_for"),
        Column("algorithms", "/rotation/algorithms"),
    ];
    const LISTS: &'static [(&'static str, &'static str)] = &[("algorithm", "/rotation/algorithms")];

    fn collection(_: &ApiArgs) -> Vec<&str> {
        vec!["realms"]
    }

    fn fresh(&self, _: &ApiArgs, name: &str) -> Result<Map<String, Value>, Failure> {
        Ok(object(body(&keyward_authority::entity::Realm::new(name))?))
    }

    fn members(&self) -> Map<String, Value> {
        let rotation = Members::default()
            .with_list("algorithms", &self.algorithm)
            .with("publish_for", self.publish_for)
            .with("sign_for", self.sign_for);
        let members = Members::default()
            .with("access_token_lifetime", self.access_token_lifetime)
            .with("refresh_token_lifetime", self.refresh_token_lifetime)
            .with("just_in_time", self.just_in_time)
            .with_members("rotation", rotation);
        members.0
    }
}
