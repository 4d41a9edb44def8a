//! One thing that a file says.

use std::fmt;

use serde_json::Value;

use super::realm_file::KeyEntry;
use crate::entity::{Client, ExternalSigner, Realm, ResourceServer, ServiceAccount};

/// One thing that a file says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// A client.
    Client(Client),
    /// An external signer.
    ExternalSigner(ExternalSigner),
    /// A public key of a client or a service account.
    Key(KeyEntry),
    /// The realm itself.
    Realm(Realm),
    /// A resource server.
    ResourceServer(ResourceServer),
    /// A service account.
    ServiceAccount(ServiceAccount),
}

impl Item {
    /// What belongs to something is made after it and deleted before it; and something that takes a name is made after what
    /// had it is gone.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Realm(_) => 0,
            Self::ResourceServer(_) => 1,
            Self::ExternalSigner(_) => 2,
            Self::ServiceAccount(_) => 3,
            Self::Client(_) => 4,
            Self::Key(_) => 5,
        }
    }

    /// Its name among its like.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Client(client) => client.id.clone(),
            Self::ExternalSigner(signer) => signer.name.clone(),
            Self::Key(key) => key.id(),
            Self::Realm(realm) => realm.name.clone(),
            Self::ResourceServer(server) => server.audience.clone(),
            Self::ServiceAccount(account) => account.id.clone(),
        }
    }

    /// The members that differ, by name.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let (Value::Object(mine), Value::Object(theirs)) = (self.members(), other.members()) else {
            return Vec::new();
        };
        let all: std::collections::BTreeSet<_> = mine.keys().chain(theirs.keys()).collect();
        all.into_iter().filter(|name| mine.get(*name) != theirs.get(*name)).cloned().collect()
    }

    fn members(&self) -> Value {
        let members = match self {
            Self::Client(client) => serde_json::to_value(client),
            Self::ExternalSigner(signer) => serde_json::to_value(signer),
            Self::Key(key) => serde_json::to_value(key),
            Self::Realm(realm) => serde_json::to_value(realm),
            Self::ResourceServer(server) => serde_json::to_value(server),
            Self::ServiceAccount(account) => serde_json::to_value(account),
        };
        members.unwrap_or_default()
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Client(_) => "client",
            Self::ExternalSigner(_) => "external signer",
            Self::Key(_) => "key",
            Self::Realm(_) => "realm",
            Self::ResourceServer(_) => "resource server",
            Self::ServiceAccount(_) => "service account",
        };
        write!(f, "{kind} {}", self.name())
    }
}
