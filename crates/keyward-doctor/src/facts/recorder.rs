//! What a gateway's flight recorder tells: `/debug/recorder?since=SECONDS`.

use serde::{Deserialize, Serialize};

/// What the recorder tells of the last seconds. Members that are not listed here are not looked at.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RecorderFacts {
    /// The gateway's version.
    pub version: String,
    /// How long it has been running, in seconds.
    pub up_seconds: u64,
    /// Over how many seconds the counts are, at most as long as it has been running.
    pub since_seconds: u64,
    /// Verdicts in that time.
    pub verdicts: Vec<VerdictCount>,
    /// Verdicts by the second way in that time.
    #[serde(default)]
    pub fallbacks: Vec<FallbackCount>,
    /// Requests in that time of which a proxy's headers did not tell the route.
    #[serde(default)]
    pub unclear: u64,
    /// Tokens in that time whose key the gateway did not know; none where an older gateway does not say.
    #[serde(default)]
    pub unknown_kids: Option<UnknownKids>,
    /// What has changed, the last first, whenever that was.
    #[serde(default)]
    pub transitions: Vec<RecordedTransition>,
}

/// How many verdicts there were of one kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct VerdictCount {
    /// `accept`, `reject` or `undecided`.
    pub verdict: String,
    /// The reason's label; none where it is `accept`.
    pub reason: Option<String>,
    /// How many.
    pub count: u64,
}

/// How many tokens were accepted by the second way for one cause.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct FallbackCount {
    /// Our name for the issuer.
    pub issuer: String,
    /// Why the first way could not tell.
    pub cause: String,
    /// How many.
    pub count: u64,
}

/// Tokens whose key the gateway did not know: those that ended in `unknown_kid`, `key_refresh_limited` or `keys_unavailable`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct UnknownKids {
    /// How many.
    pub verdicts: u64,
    /// How many different key ids they named; the gateway stops counting at some number.
    pub different: u64,
    /// How many of them named a key that was published until a refresh found it gone.
    #[serde(default)]
    pub of_withdrawn_keys: u64,
}

/// Something that changed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RecordedTransition {
    /// When, in RFC 3339.
    pub at: String,
    /// How many seconds ago.
    pub seconds_ago: u64,
    /// Our name for the issuer; none where it concerns none.
    pub issuer: Option<String>,
    /// The event's label, as in the log.
    pub event: String,
    /// The cause's label, where it has one.
    pub cause: Option<String>,
    /// How many seconds ago it last happened again; as [`seconds_ago`](Self::seconds_ago) where it did not.
    #[serde(default)]
    pub last_seconds_ago: Option<u64>,
    /// The key ids that a refresh found gone.
    #[serde(default)]
    pub removed: Vec<String>,
}
