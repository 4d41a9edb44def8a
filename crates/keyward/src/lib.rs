//! Verify OAuth 2.0 and OpenID Connect tokens inside a Rust service, and keep verifying while their
//! provider fails.
//!
//! A [`Verifier`] knows one or more issuers. It fetches each one's keys in the background, apart from the
//! others, serves them stale while the provider is down, keeps the last good set on disk, and says
//! [`Verdict::Undecided`] where it cannot tell, never "invalid token".
//!
//! ```no_run
//! use keyward::{IssuerSettings, Verdict, Verifier};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder()
//!     .issuer(IssuerSettings::discover("https://idp.example/realms/main").audience("api"))
//!     .snapshots("/var/lib/my-service")
//!     .start()?;
//!
//! match verifier.verify(token.as_bytes()).await {
//!     Verdict::Accept(token) => println!("hello {}", token.subject().unwrap_or("nobody")),
//!     Verdict::Reject(reason) => println!("401 {reason}"),
//!     Verdict::Undecided(reason) => println!("503 {reason}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In front of a tower service, [`VerifyLayer`] does this for every request.

pub mod address;
pub mod clock;
pub mod credentials;
pub mod discovery;
pub mod endpoint;
pub mod entropy;
pub mod event;
pub mod fetch;
pub mod source;
pub mod trace;
pub mod wire;

mod certificate_keys;
mod health;
mod introspection;
mod issuer_settings;
mod keeper;
mod kept_set;
mod last_fetch;
mod layer;
mod settings_error;
mod shared_replay;
mod snapshot;
mod status;
mod verifier;

pub use introspection::{FallbackSettings, IntrospectionSettings, IntrospectionStatus};
pub use issuer_settings::{HmacSecret, IssuerSettings, KeySource};
pub use kept_set::{KeptSet, KeptSetSettings, NoSigningKey};
pub use keyward_jose::{Algorithm, AlgorithmSet};
pub use keyward_verify::binding;
pub use keyward_verify::introspection::{AnswerCacheSettings, AnswerForm, BreakerSettings, Failure, Forget};
pub use keyward_verify::key_set::{
    KeySetSettings, KeySetState, LiveKey, WrapperCertificate, WrapperPolicy, WrapperTrouble,
};
pub use keyward_verify::strategy::{Fallback, FallbackCause, GivenUp, Strategy};
pub use keyward_verify::{
    ClaimRule, ClaimTest, Claims, MonoTime, Now, Reason, ReasonKind, Requirement, Stop, UnixTime, Verdict,
    Verified, VerifiedBy,
};
pub use layer::{OriginError, VerifyLayer, VerifyService};
pub use settings_error::SettingsError;
pub use shared_replay::{Remembering, SharedReplay, SharedReplayError, SharedReplaySettings, WhenDown};
pub use status::{IssuerStatus, KeyStatus, SkippedKeyStatus, WrapperStatus};
pub use verifier::{RequirementId, RequirementSettings, Verifier, VerifierBuilder};
