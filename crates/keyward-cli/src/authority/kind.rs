//! What the kinds of entities have in common: where they are, what is set of them, and how they are shown.

use std::fmt::Debug;

use clap::Args;
use serde_json::{Map, Value};

use super::api::ApiArgs;
use super::table::Column;
use crate::exit::Failure;

/// A kind of entity. It is what is set of one, as flags: what was not named is not set.
pub(crate) trait Kind: Args + Debug {
    /// What they are in.
    type Of: Of;

    /// How one is called in usage lines.
    const NAME: &'static str;
    /// What that name is.
    const NAMED: &'static str;
    /// The member that the name is kept in.
    const MEMBER: &'static str;
    /// Examples of `create`.
    const CREATED: &'static str;
    /// Examples of `change`.
    const CHANGED: &'static str;
    /// What a list tells of each.
    const COLUMNS: &'static [Column];
    /// The lists among the members: the flag of one of its values, and where it is (RFC 6901).
    const LISTS: &'static [(&'static str, &'static str)];
    /// The members without which there is none. Their flags are called alike.
    const REQUIRED: &'static [&'static str] = &[];

    /// Where all are.
    fn collection(of: &Self::Of) -> Vec<&str>;

    /// A new one of this name, of which nothing else was said.
    fn fresh(&self, of: &Self::Of, name: &str) -> Result<Map<String, Value>, Failure>;

    /// The members that were named.
    fn members(&self) -> Map<String, Value>;

    /// What the value of a list's flag stands for.
    fn value(_flag: &str, text: &str) -> Result<Value, Failure> {
        Ok(text.into())
    }
}

/// What entities are in, and who asks.
pub(crate) trait Of: Args + Debug {
    fn api(&self) -> &ApiArgs;
}

impl Of for ApiArgs {
    fn api(&self) -> &ApiArgs {
        self
    }
}

/// In a realm.
#[derive(Args, Debug)]
pub(crate) struct RealmOf {
    #[command(flatten)]
    pub(super) api: ApiArgs,
    /// The realm
    #[arg(long, value_name = "NAME")]
    pub(super) realm: String,
}

impl Of for RealmOf {
    fn api(&self) -> &ApiArgs {
        &self.api
    }
}

impl RealmOf {
    /// Where all of a sort are.
    pub(super) fn all<'a>(&'a self, segment: &'a str) -> Vec<&'a str> {
        vec!["realms", &self.realm, segment]
    }
}

/// Members, from what was named of them.
#[derive(Default)]
pub(super) struct Members(pub(super) Map<String, Value>);

impl Members {
    /// Where it was named.
    pub(super) fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Where at least one value was named.
    pub(super) fn with_list(self, name: &str, values: &[String]) -> Self {
        self.with(name, (!values.is_empty()).then(|| Value::from(values)))
    }

    /// Where anything of it was named.
    pub(super) fn with_members(self, name: &str, members: Self) -> Self {
        self.with(name, (!members.0.is_empty()).then_some(members.0))
    }
}

/// An object, as `json!` makes it.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
