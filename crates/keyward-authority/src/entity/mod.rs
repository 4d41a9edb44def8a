//! What the authority knows, as it is kept: one type a file, in JSON in the log and in the state.

mod client;
mod external_signer;
mod former_holder;
mod identity;
mod key;
mod realm;
mod refresh_family;
mod resource_server;
mod revoked_token;
mod secret;
mod service_account;
mod shown;
mod signing_key;
mod subject;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::storage::{Entity, Kind};

pub use client::{Client, ClientAuthMethod, ClientKind, GrantType, TlsSubject};
pub use external_signer::{ExternalSigner, SignerKeys};
pub use former_holder::FormerHolder;
pub use identity::Identity;
pub use key::{Key, KeyOrigin};
pub use realm::{Realm, RotationSettings};
pub use refresh_family::RefreshFamily;
pub use resource_server::{ResourceServer, TokenFormat};
pub use revoked_token::RevokedToken;
pub use secret::Secret;
pub use service_account::ServiceAccount;
pub use shown::shown;
pub use signing_key::{SealedKey, SigningKey};
pub use subject::{Subject, SubjectType};

/// Something that is kept. What is in it is written as JSON, and read by every later version.
pub trait Kept: Serialize + DeserializeOwned {
    /// What sort of thing it is.
    const KIND: Kind;

    /// Its name among its realm's.
    fn id(&self) -> String;

    /// Its name among all, in `realm`.
    fn entity(&self, realm: &str) -> Entity {
        Entity { kind: Self::KIND, realm: realm.to_owned(), id: self.id() }
    }
}

/// The name of the one of this kind in `realm` that is called `id`.
pub fn entity<K: Kept>(realm: &str, id: &str) -> Entity {
    Entity { kind: K::KIND, realm: realm.to_owned(), id: id.to_owned() }
}

/// Every kind that this version knows.
const KINDS: &[Kind] = &[
    Client::KIND,
    ExternalSigner::KIND,
    FormerHolder::KIND,
    Identity::KIND,
    Key::KIND,
    Realm::KIND,
    RefreshFamily::KIND,
    ResourceServer::KIND,
    RevokedToken::KIND,
    Secret::KIND,
    ServiceAccount::KIND,
    SigningKey::KIND,
    Subject::KIND,
];

/// The kind that is labelled so in the database; none where this version does not know it.
pub fn kind(label: &str) -> Option<Kind> {
    KINDS.iter().copied().find(|kind| kind.0 == label)
}
