//! What was seen, as plain data: what the probes fill, what a bundle holds, and all that the rules know.
//!
//! There is no place in it for a token, a secret, a key's private half, or the value of a claim that was not verified.

mod authority;
mod clock;
mod gateway;
mod introspection;
mod issuer;
mod key_set;
mod provider_log;
mod reach;
mod recorder;
mod token;

use serde::{Deserialize, Serialize};

pub use authority::{AuthorityFacts, RealmKeys, RefusalCount};
pub use clock::ClockFacts;
pub use gateway::{
    GatewayCredential, GatewayFacts, GatewayIntrospection, GatewayIssuer, GatewayKey, GatewaySkippedKey,
    GatewayWrapper,
};
pub use introspection::{
    Call, CallResult, CredentialFacts, CredentialFileFault, IntrospectionFacts, KeyFileFacts, Spoken,
    Variation,
};
pub use issuer::{Configured, DiscoveryFacts, IssuerFacts};
pub use key_set::{AnsweredKeySet, Elsewhere, KeySetFacts, PublishedKey, SkippedKey};
pub use provider_log::{AuthorityLine, ProviderLogCause, ProviderLogFacts, ProviderLogLine};
pub use reach::{Answer, Attempt, BodyKind, BodyShape, Ended, Lookup, Reach, TlsFacts, TlsTrouble, Waited};
pub use recorder::{FallbackCount, RecordedTransition, RecorderFacts, UnknownKids, VerdictCount};
pub use token::{
    AudiencePlace, IssuerMatch, KidMatch, Signed, TokenFacts, TokenForm, TokenKind, TokenTimes, WouldBe,
};

/// The form of the bundle. It changes where an older reader would misread a newer bundle.
pub const VERSION: u32 = 1;

/// Everything that was seen in one look.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// [`VERSION`] of whoever gathered them.
    pub version: u32,
    /// When, in seconds since 1970 by the clock of the machine that looked.
    pub gathered_at: i64,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
    /// Over how many seconds the gateway's counts were taken.
    pub since_s: u64,
    /// The issuers that were looked at.
    #[serde(default)]
    pub issuers: Vec<IssuerFacts>,
    /// The gateway that was asked; none where none was.
    #[serde(default)]
    pub gateway: Option<GatewayFacts>,
    /// The nodes of an authority that were asked.
    #[serde(default)]
    pub authority: Vec<AuthorityFacts>,
    /// The token that was handed in; none where none was.
    #[serde(default)]
    pub token: Option<TokenFacts>,
    /// What a log of the provider says; none where none was handed in.
    #[serde(default)]
    pub provider_log: Option<ProviderLogFacts>,
    /// What is wrong with our configuration though it can be used, in words.
    #[serde(default)]
    pub warnings: Vec<String>,
}
