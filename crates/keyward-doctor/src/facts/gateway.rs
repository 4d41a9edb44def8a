//! A gateway, as its admin listener tells.

use serde::{Deserialize, Serialize};

use super::{Reach, RecorderFacts};

/// A gateway.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayFacts {
    /// How its admin listener was reached.
    pub reach: Reach,
    /// `status` of `/readyz`; none where it cannot be read.
    pub readiness: Option<String>,
    /// Its issuers (`/debug/jwks-cache`); none where they cannot be read.
    #[serde(default)]
    pub issuers: Option<Vec<GatewayIssuer>>,
    /// Its recorder (`/debug/recorder`); none where it cannot be read.
    #[serde(default)]
    pub recorder: Option<RecorderFacts>,
}

/// An issuer, as the gateway has it. Members are those of `/debug/jwks-cache`; others there are not looked at.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GatewayIssuer {
    /// Our name for it.
    pub name: String,
    /// What `iss` says.
    pub issuer: String,
    /// `empty`, `fresh`, `stale`, `expired` or `fixed`.
    pub state: String,
    /// Whether its tokens can be verified now.
    pub usable: bool,
    /// `fetched` or `snapshot`.
    pub source: Option<String>,
    /// How old the set is.
    pub age_seconds: Option<u64>,
    /// How long until it verifies nothing.
    pub usable_for_seconds: Option<u64>,
    /// How long until the next fetch.
    pub next_refresh_seconds: Option<u64>,
    /// How many fetches have failed in a row.
    pub failures: u32,
    /// Why the last fetch failed: the label of the cause; none where it did not, or an older gateway does not say.
    #[serde(default)]
    pub failing: Option<String>,
    /// The same in words.
    #[serde(default)]
    pub last_error: Option<String>,
    /// Denied key ids.
    #[serde(default)]
    pub denied_kids: Vec<String>,
    /// `ignore`, `warn` or `enforce`.
    pub wrapper_policy: String,
    /// By how many seconds the provider's clock is ahead of the gateway's for certain, where it knows; 0 where they may agree.
    #[serde(default)]
    pub clock_ahead_seconds: Option<f64>,
    /// By how many more it may be.
    #[serde(default)]
    pub clock_uncertain_by_seconds: Option<f64>,
    /// The usable keys.
    #[serde(default)]
    pub keys: Vec<GatewayKey>,
    /// The others.
    #[serde(default)]
    pub skipped: Vec<GatewaySkippedKey>,
    /// Its introspection endpoint.
    #[serde(default)]
    pub introspection: Option<GatewayIntrospection>,
}

/// A key that the gateway uses.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GatewayKey {
    /// `kid`.
    pub kid: Option<String>,
    /// Its RFC 7638 thumbprint.
    pub thumbprint: Option<String>,
    /// The algorithms that it serves.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// When it was first seen, in RFC 3339.
    #[serde(default)]
    pub first_seen: String,
    /// How many tokens it verified.
    #[serde(default)]
    pub verdicts: u64,
    /// Those of them that came while its certificate was over.
    #[serde(default)]
    pub expired_wrapper_verdicts: u64,
    /// The certificate around it.
    #[serde(default)]
    pub wrapper: Option<GatewayWrapper>,
}

/// The X.509 certificate around a key.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GatewayWrapper {
    /// `valid`, `expired`, `not_yet_valid`, `absent`, `key_mismatch`, `malformed`, `thumbprint_mismatch`, `untrusted`.
    pub state: String,
    /// The same in words, where something else than its times is wrong.
    pub description: Option<String>,
    /// Its subject.
    pub subject: Option<String>,
    /// Its serial number in hexadecimal digits.
    pub serial: Option<String>,
    /// Until when it is valid, in RFC 3339.
    pub not_after: Option<String>,
    /// How long until it is over, in seconds; negative once it is.
    pub expires_in_seconds: Option<i64>,
}

/// A key that the gateway cannot use.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GatewaySkippedKey {
    /// `kid`.
    pub kid: Option<String>,
    /// The reason's label.
    pub reason: String,
    /// In words.
    #[serde(default)]
    pub description: String,
}

/// An introspection endpoint, as the gateway has it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GatewayIntrospection {
    /// Where it is.
    pub endpoint: Option<String>,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
    /// How long until a call may be tried again.
    pub retry_in_seconds: Option<u64>,
    /// How long ago it last answered.
    pub last_success_seconds: Option<u64>,
    /// How many calls have failed in a row.
    pub failures: u64,
    /// The last failure's label.
    pub failing: Option<String>,
    /// The same in words.
    pub last_error: Option<String>,
    /// Our credential there.
    pub credential: GatewayCredential,
}

/// Our credential, as the gateway has it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GatewayCredential {
    /// `bearer`, or how each request authenticates us.
    pub method: String,
    /// `usable`, `rejected`, `obtaining` or `unavailable`.
    pub state: String,
    /// How long ago the bearer was obtained.
    pub age_seconds: Option<u64>,
    /// How many requests for one have failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// How often in a row it was refused.
    #[serde(default)]
    pub rejections: u32,
    /// What last went wrong.
    pub last_error: Option<String>,
}
