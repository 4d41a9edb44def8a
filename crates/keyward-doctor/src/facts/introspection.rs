//! An introspection endpoint, and what it makes of our credential.

use serde::{Deserialize, Serialize};

use super::Reach;

/// An introspection endpoint (RFC 7662) and our credential there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IntrospectionFacts {
    /// Where it is; none where neither configuration nor discovery say.
    pub endpoint: Option<String>,
    /// Where our bearer is got; none where none is needed.
    pub token_endpoint: Option<String>,
    /// How it was reached, where no call says it better.
    pub reach: Option<Reach>,
    /// Our credential.
    pub credential: CredentialFacts,
    /// What was tried, in this order. No more than one for each endpoint, method and variation.
    #[serde(default)]
    pub calls: Vec<Call>,
}

/// Our credential, without anything of it that is secret.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialFacts {
    /// `client_secret_basic`, `client_secret_post`, `private_key_jwt`, `tls_client_auth`, `none`, `bearer_jwt` (RFC 7523 §2.1
    /// grant), `bearer_client_credentials` or `bearer_file`.
    pub method: String,
    /// Our `client_id`, where there is one.
    pub client_id: Option<String>,
    /// The key file; none where there is none.
    pub key_file: Option<KeyFileFacts>,
    /// In whose name a key asks for a token (`sub`), where it does.
    #[serde(default)]
    pub subject: Option<String>,
    /// What is wrong with a file of it; none where nothing is.
    pub fault: Option<CredentialFileFault>,
    /// When the file with its secret, its key or its token was last changed, in seconds since 1970.
    #[serde(default)]
    pub modified_at: Option<i64>,
    /// The audience that our assertions have, where we make some: `issuer`, `token_endpoint`, `endpoint` or a given text.
    pub audience: Option<String>,
}

/// What is wrong with a file of a credential.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialFileFault {
    /// Others than its owner can use it.
    Exposed(String),
    /// Whoever looks may not read it, in words; the gateway may.
    Forbidden(String),
    /// It cannot be read or understood, in words.
    Unusable(String),
}

/// A file with a key to sign assertions with.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFileFacts {
    /// Which file.
    pub path: String,
    /// What it says it is: `application`, `serviceaccount`, or none where it says nothing.
    pub kind: Option<String>,
    /// The key's name in our assertions: what is configured, else `keyId` or `kid`; none where they name none.
    pub kid: Option<String>,
    /// Whose key the file says it is: `clientId` of an application, `userId` of a service account.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether it is a key for something else than what it is configured for.
    #[serde(default)]
    pub unfit: bool,
    /// When the key's time is over, in seconds since 1970, where the file says it.
    pub expires_at: Option<i64>,
}

/// One call that was made.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Where: `token` or `introspection`.
    pub endpoint: String,
    /// By which method, as [`CredentialFacts::method`].
    pub method: String,
    /// What was different from what the gateway does.
    pub variation: Variation,
    /// What came of it.
    pub result: CallResult,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What of a call was different from what the gateway does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Variation {
    /// The key signed an assertion that authenticates a client (RFC 7523 §2.2), where it is configured for the grant.
    AsClientAssertion,
    /// The key asked for a token by the grant (RFC 7523 §2.1), where it is configured to authenticate a client.
    AsGrant,
    /// The assertion's times were by the provider's clock.
    ByProvidersClock,
    /// Nothing: this is what the gateway does.
    Configured,
    /// The assertion was for the introspection endpoint.
    ForEndpoint,
    /// The assertion was for the issuer (RFC 7523bis).
    ForIssuer,
    /// The assertion was for the token endpoint.
    ForTokenEndpoint,
    /// No credential at all: an endpoint that works refuses that, and one that is broken fails as it does for us.
    NoCredential,
    /// Another method of those that the provider advertises.
    OtherMethod,
    /// A name that no client has, in place of ours: what is answered then is what a client that is not known is told.
    NobodysName,
    /// A key id that no key has, in place of ours: what is answered then is what a key that is not known is told.
    NobodysKey,
    /// The endpoint that discovery names, where another one is configured.
    DiscoveredEndpoint,
}

/// What came of a call.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// It was taken: the endpoint answered as the RFC says.
    Accepted,
    /// It was taken, and a made-up token was called active.
    BelievesAnything,
    /// It answered 200 with something that is no such answer: what is wrong with it, in words.
    Malformed(String),
    /// It answered something else.
    Refused(Spoken),
    /// There was no answer: the label of the failure, and the same in words.
    Unanswered {
        /// `dns`, `connect`, `tls`, `timeout` and so on, as for fetches.
        cause: String,
        /// In words.
        why: String,
    },
}

/// What a provider says when it refuses. Texts are cut, and without control characters.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spoken {
    /// The status.
    pub status: u16,
    /// `error` (RFC 6749 §5.2).
    pub error: Option<String>,
    /// `error_description`.
    pub description: Option<String>,
    /// The scheme and the `error` of `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
}
