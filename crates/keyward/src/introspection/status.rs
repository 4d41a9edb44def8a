//! How introspection at an issuer stands, for `/debug/jwks-cache`, `/readyz` and the metrics. No secret is in it.

use serde::Serialize;

use crate::credentials::CredentialStatus;

/// An issuer's introspection endpoint, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IntrospectionStatus {
    /// Where it is, once that is known.
    pub endpoint: Option<String>,
    /// `closed`, `open` or `half_open`.
    pub breaker: &'static str,
    /// How long until a call may be tried again, in seconds.
    pub retry_in_seconds: Option<u64>,
    /// How many calls are under way.
    pub calls: usize,
    /// How long ago it last answered, in seconds; none where it never did.
    pub last_success_seconds: Option<u64>,
    /// How many calls have failed in a row.
    pub failures: u64,
    /// The last failure's label, until a call succeeds.
    pub failing: Option<&'static str>,
    /// The same in words.
    pub last_error: Option<String>,
    /// How many answers are remembered.
    pub remembered: usize,
    /// How many octets of memory they take.
    pub remembered_octets: u64,
    /// How often an active answer was remembered, since the start.
    pub active_hits: u64,
    /// How often an inactive one was.
    pub inactive_hits: u64,
    /// How many verdicts were left open since the start because the fallback could not tell either.
    pub fallback_failures: u64,
    /// Our credential there.
    pub credential: CredentialStatus,
}

impl IntrospectionStatus {
    /// Whether the endpoint may answer: nothing speaks against it.
    pub(crate) fn is_usable(&self) -> bool {
        self.breaker != "open" && matches!(self.credential.state, "usable" | "obtaining")
    }
}
