//! A realm, as a file says it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Item;
use crate::entity::{Client, ExternalSigner, Key, Realm, ResourceServer, ServiceAccount};

/// A realm, as a file says it. What it does not name is not to be there, but for secrets and identities.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RealmFile {
    /// The realm.
    pub realm: Realm,
    /// Who takes its tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_servers: Vec<ResourceServer>,
    /// Whose tokens may be exchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_signers: Vec<ExternalSigner>,
    /// Machines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<ServiceAccount>,
    /// Clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Client>,
    /// The public keys of both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyEntry>,
}

/// A public key. When it was added, and by whom it was made, is what the log tells.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Whose: `client/ID` or `service_account/ID`.
    pub owner: String,
    /// `kid` of its assertions.
    pub kid: String,
    /// Whether it is taken.
    pub enabled: bool,
    /// Until when, in seconds since 1970; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The public key (RFC 7517), `kid` among its members.
    pub jwk: BTreeMap<String, String>,
}

/// A text is no realm file.
#[derive(Debug, thiserror::Error)]
pub enum RealmFileError {
    /// Something is there twice.
    #[error("{item} is there more than once")]
    Repeated {
        /// What, and which.
        item: String,
    },
    /// It is no TOML, or says what a realm does not have.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
}

impl RealmFile {
    /// Reads a file. Whether what it says is possible is found out when it is planned or applied.
    ///
    /// # Errors
    /// [`RealmFileError`], with the line where it is no TOML or a member is unknown.
    pub fn parse(text: &str) -> Result<Self, RealmFileError> {
        let file: Self = toml::from_str(text)?;
        let mut seen = std::collections::BTreeSet::new();
        for item in file.items() {
            if !seen.insert((item.rank(), item.name())) {
                return Err(RealmFileError::Repeated { item: item.to_string() });
            }
        }
        Ok(file)
    }

    /// Writes it, in the order of the names.
    ///
    /// # Errors
    /// None that could happen to what is kept.
    pub fn write(&self) -> Result<String, toml::ser::Error> {
        let mut sorted = self.clone();
        sorted.resource_servers.sort_by(|a, b| a.audience.cmp(&b.audience));
        sorted.external_signers.sort_by(|a, b| a.name.cmp(&b.name));
        sorted.service_accounts.sort_by(|a, b| a.id.cmp(&b.id));
        sorted.clients.sort_by(|a, b| a.id.cmp(&b.id));
        sorted.keys.sort_by_key(KeyEntry::id);
        toml::to_string_pretty(&sorted)
    }

    /// All that it says, one by one.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        let Self { realm, resource_servers, external_signers, service_accounts, clients, keys } = self;
        std::iter::once(Item::Realm(realm.clone()))
            .chain(resource_servers.iter().cloned().map(Item::ResourceServer))
            .chain(external_signers.iter().cloned().map(Item::ExternalSigner))
            .chain(service_accounts.iter().cloned().map(Item::ServiceAccount))
            .chain(clients.iter().cloned().map(Item::Client))
            .chain(keys.iter().cloned().map(Item::Key))
    }
}

impl KeyEntry {
    /// As [`Key`]'s name.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.owner, self.kid)
    }

    /// The key as JSON.
    pub(super) fn jwk(&self) -> Value {
        self.jwk.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
    }
}

impl From<Key> for KeyEntry {
    fn from(key: Key) -> Self {
        let Key { owner, kid, jwk, enabled, expires_at, .. } = key;
        let members = jwk.as_object().into_iter().flatten();
        let texts = members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Self { owner, kid, enabled, expires_at, jwk: texts.collect() }
    }
}
