//! What a provider once answered: a line of a recording.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::addresses::IssuerAddresses;
use crate::fault::Endpoint;

/// One fetch of a recording, which is a text of JSON, one exchange a line.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// When, in milliseconds since the recording began.
    pub at_ms: u64,
    /// What was fetched: [`Endpoint::Discovery`] or [`Endpoint::Jwks`].
    pub endpoint: Endpoint,
    /// The path that was fetched.
    pub path: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a fetch.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer.
    Answer(Recorded),
    /// None, for this reason.
    Failure(Failure),
}

/// An answer of a provider.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The status.
    pub status: u16,
    /// Those headers that say how long the answer is good: `age`, `cache-control`, `content-type`, `retry-after`.
    pub headers: Vec<(String, String)>,
    /// The body. What is not UTF-8 in it is lost.
    pub body: String,
}

/// Why there was no answer. All are replayed as a connection that is closed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The body broke off, or was too long.
    Body,
    /// No connection: the name, the port or TLS.
    Connect,
    /// Something else.
    Request,
    /// It took too long.
    Timeout,
}

impl Recorded {
    /// The body with these addresses in place of the provider's, where it is a discovery document.
    pub(crate) fn body_at(&self, addresses: &IssuerAddresses) -> Bytes {
        let Ok(Value::Object(mut metadata)) = serde_json::from_str(&self.body) else {
            return self.body.clone().into();
        };
        if !metadata.contains_key("issuer") {
            return self.body.clone().into();
        }
        for (member, address) in [
            ("issuer", &addresses.issuer),
            ("jwks_uri", &addresses.jwks_uri),
            ("token_endpoint", &addresses.token_endpoint),
            ("introspection_endpoint", &addresses.introspection_endpoint),
            ("revocation_endpoint", &addresses.revocation_endpoint),
        ] {
            if let Some(value) = metadata.get_mut(member) {
                *value = address.as_str().into();
            }
        }
        Value::Object(metadata).to_string().into()
    }
}
