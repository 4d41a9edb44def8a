//! What a log of the provider says of our requests: the only place where an opaque 500 has a cause.

use serde::{Deserialize, Serialize};

/// The lines of a provider's log that mean something to the rules.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderLogFacts {
    /// How many lines were read.
    pub lines: u64,
    /// What was recognised among them, the last first.
    #[serde(default)]
    pub recognised: Vec<ProviderLogLine>,
}

/// One kind of line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderLogLine {
    /// What it means.
    pub cause: ProviderLogCause,
    /// How many lines say so.
    pub count: u64,
    /// The code in it, such as `QUERY-Tha6f`; never more of the line.
    pub code: Option<String>,
    /// The first and the last, in seconds since 1970, where the lines have times.
    pub first_at: Option<i64>,
    /// The last.
    pub last_at: Option<i64>,
}

/// What a line of a provider's log means.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderLogCause {
    /// The assertion is for somebody else.
    AssertionAudience,
    /// The assertion has expired, or is not valid yet.
    AssertionTimes,
    /// The client is disabled.
    ClientDisabled,
    /// Nobody has that name.
    ClientUnknown,
    /// The key is disabled.
    KeyDisabled,
    /// The key's time is over.
    KeyExpired,
    /// The key is not found: not there, not there yet, or of another kind than is looked for.
    KeyNotFound,
    /// The provider's own tables are behind its log.
    ProjectionBehind,
    /// The assertion was used before.
    Replayed,
    /// The secret's time is over.
    SecretExpired,
    /// The secret is wrong.
    SecretWrong,
    /// The signature is wrong.
    Signature,
    /// The assertion has no `kid`.
    NoKid,
    /// We are refused, and the line does not say why.
    Untold,
    /// The assertion's `iss` or `sub` is not the client.
    WrongIssuer,
    /// The key is of a kind that is not allowed here.
    WrongKind,
}
