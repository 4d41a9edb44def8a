//! A node of our own authority, as its admin listener tells.

use serde::{Deserialize, Serialize};

use super::Reach;

/// A node.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFacts {
    /// How its admin listener was reached.
    pub reach: Reach,
    /// `status` of `/readyz`; none where it cannot be read.
    pub readiness: Option<String>,
    /// Whether `/metrics` could be read: without it the members below say nothing.
    pub is_measured: bool,
    /// The position up to which it had read the log, when it was first asked.
    pub position: Option<i64>,
    /// The same when it was last asked.
    pub position_later: Option<i64>,
    /// Positions by which it is behind the log's head, where it says so.
    #[serde(default)]
    pub behind_by: Option<i64>,
    /// Whether it refused the last change of its configuration, and runs on the one before.
    #[serde(default)]
    pub has_refused_configuration: bool,
    /// How long ago it was last at the log's head, in seconds.
    pub log_age_s: Option<f64>,
    /// How many milliseconds lie between the first and the last time that it was asked.
    pub over_ms: u64,
    /// Requests since it started, that a refusal is held against.
    pub requests: u64,
    /// Refusals by realm, endpoint and cause.
    #[serde(default)]
    pub refusals: Vec<RefusalCount>,
    /// The signing keys of each realm.
    #[serde(default)]
    pub realms: Vec<RealmKeys>,
    /// When the certificate of a listener of its own is over, in seconds since 1970: those that it says.
    #[serde(default)]
    pub certificates: Vec<(String, i64)>,
}

/// How often a node refused for one cause.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalCount {
    /// The realm; empty where the request was refused before one was found.
    pub realm: String,
    /// The endpoint's label.
    pub endpoint: String,
    /// The cause's label.
    pub cause: String,
    /// Since it started.
    pub count: u64,
    /// Of those, how many while it was looked at.
    pub risen: u64,
}

/// The signing keys of a realm.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RealmKeys {
    /// Which.
    pub realm: String,
    /// How many sign.
    pub active: u64,
    /// How many will sign.
    pub published: u64,
    /// How many have signed.
    pub passive: u64,
    /// Whether this node cannot open a key of it that signs, or is going to.
    #[serde(default)]
    pub is_closed: bool,
    /// By how many seconds a step of its rotation is overdue; none where none is, or the node does not say.
    #[serde(default)]
    pub overdue_s: Option<f64>,
}
