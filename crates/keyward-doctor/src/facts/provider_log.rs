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
    /// What of it only our own authority's log says; none of another program's.
    #[serde(default)]
    pub authority: Option<AuthorityLine>,
}

/// What our own authority's log says of a refusal, beside its cause, whose label is [`ProviderLogLine::code`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityLine {
    /// `token` or `introspection`, as [`Call::endpoint`](super::Call::endpoint).
    pub endpoint: String,
    /// The realm.
    pub realm: String,
    /// Whether it names our client, which it does where that had shown who it is.
    pub names_us: bool,
}

/// What a line of a provider's log means.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderLogCause {
    /// The assertion is for somebody else.
    AssertionAudience,
    /// The assertion is not of the form that is wanted.
    AssertionForm,
    /// The assertion has expired, or is not valid yet.
    AssertionTimes,
    /// The bearer token is not taken, or not for this.
    BearerRefused,
    /// The certificate is not the client's, or not taken.
    Certificate,
    /// The client is disabled.
    ClientDisabled,
    /// Nobody has that name.
    ClientUnknown,
    /// The client is known, and is not given what it asks for.
    GrantRefused,
    /// The key is disabled.
    KeyDisabled,
    /// The key's time is over.
    KeyExpired,
    /// The key is not found: not there, not there yet, or of another kind than is looked for.
    KeyNotFound,
    /// It failed too often, and is not listened to.
    Limited,
    /// The client is known, and may not ask about tokens.
    MayNotIntrospect,
    /// The provider's own tables are behind its log.
    ProjectionBehind,
    /// The assertion was used before.
    Replayed,
    /// The secret's time is over, or it is disabled.
    SecretExpired,
    /// The secret is wrong.
    SecretWrong,
    /// The signature is wrong.
    Signature,
    /// The assertion has no `kid`.
    NoKid,
    /// The provider cannot tell just now.
    Unavailable,
    /// We are refused, and the line does not say why.
    Untold,
    /// The assertion's `iss` or `sub` is not the client.
    WrongIssuer,
    /// The key is of a kind that is not allowed here.
    WrongKind,
    /// The client authenticates itself in another way than it may.
    WrongMethod,
}
