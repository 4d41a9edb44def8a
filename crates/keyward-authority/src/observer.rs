//! What happens at a node, for whoever counts it. Nothing that a stranger said is in it: realms, clients' methods and causes
//! are ours.

use std::fmt::Debug;
use std::time::Duration;

use crate::cause::Cause;
use crate::entity::{ClientAuthMethod, GrantType, TokenFormat};

/// An endpoint of a realm, or what operators use.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Endpoint {
    /// `/admin/v1`.
    Admin,
    /// Discovery documents.
    Discovery,
    /// RFC 7662.
    Introspect,
    /// The JWK Set.
    Jwks,
    /// No endpoint at all.
    Nothing,
    /// RFC 7009.
    Revoke,
    /// RFC 6749 §3.2.
    Token,
}

impl Endpoint {
    /// Every endpoint, in the order of their labels.
    pub const ALL: &[Self] = &[
        Self::Admin,
        Self::Discovery,
        Self::Introspect,
        Self::Jwks,
        Self::Nothing,
        Self::Revoke,
        Self::Token,
    ];

    /// The label in logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Discovery => "discovery",
            Self::Introspect => "introspect",
            Self::Jwks => "jwks",
            Self::Nothing => "none",
            Self::Revoke => "revoke",
            Self::Token => "token",
        }
    }
}

/// What the storage commits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StorageWrite {
    /// The events of a command, and the state that they make.
    Command,
    /// What was used once, of all who asked at the same time.
    Uses,
}

impl StorageWrite {
    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Uses => "uses",
        }
    }
}

/// Takes notice of what happens. It is called where requests are answered: it must neither wait nor panic.
#[expect(unused_variables, reason = "by default nobody takes notice")]
pub trait Observer: Debug + Send + Sync {
    /// A request to an endpoint of `realm` was answered.
    fn answered(&self, endpoint: Endpoint, status: u16, took: Duration) {}

    /// A client authenticated itself, or failed to.
    fn authenticated(&self, realm: &str, method: ClientAuthMethod, outcome: Result<(), Cause>) {}

    /// The database committed something.
    fn committed(&self, what: StorageWrite, took: Duration) {}

    /// A secret was hashed, after it had waited for a place.
    fn hashed(&self, waited: Duration, took: Duration) {}

    /// A token was issued.
    fn issued(&self, realm: &str, grant: GrantType, format: TokenFormat) {}

    /// The set of keys at an address of a client or a service account of `realm` was fetched, or was not: `fetched`, `crashed`,
    /// `no_usable_key` or a label of [`FetchError`](keyward::fetch::FetchError).
    fn key_set_fetched(&self, realm: &str, outcome: &'static str) {}

    /// A request to an endpoint of `realm` was refused.
    fn refused(&self, realm: &str, endpoint: Endpoint, cause: Cause) {}

    /// Something was signed with this algorithm.
    fn signed(&self, algorithm: &str, took: Duration) {}

    /// The storage did not do what it was asked: a kind of [`StoreError`](crate::storage::StoreError).
    fn storage_failed(&self, kind: &'static str) {}

    /// A command waited for so long for the log's head, and got it or not.
    fn waited_for_head(&self, waited: Duration) {}
}

/// Takes no notice.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
