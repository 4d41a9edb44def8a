//! Asks issuers what tokens are worth (RFC 7662): within a time, no more often than needed, and only while they answer.

mod flights;
mod introspector;
mod latency;
mod settings;
mod status;
mod trouble;

pub(crate) use introspector::{Introspector, NewIntrospector, caller_settings};
pub use settings::{FallbackSettings, IntrospectionSettings};
pub use status::IntrospectionStatus;
