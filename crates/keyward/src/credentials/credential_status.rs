//! How our credential stands, for whoever looks at it.

use serde::Serialize;

/// How our credential at an issuer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialStatus {
    /// `bearer`, or how each request authenticates us, as the registry of RFC 7591 §2 calls it.
    pub method: &'static str,
    /// `usable`, `rejected`, or for a bearer that is not there `obtaining` or `unavailable`.
    pub state: &'static str,
    /// How long ago the bearer was obtained.
    pub age_seconds: Option<u64>,
    /// For how long it will be used.
    pub usable_for_seconds: Option<u64>,
    /// How many requests for one have failed in a row.
    pub failures: u32,
    /// How often in a row the provider refused what we showed.
    pub rejections: u32,
    /// What last went wrong, in words that hold no secret. It is kept until something goes well.
    pub last_error: Option<String>,
}
