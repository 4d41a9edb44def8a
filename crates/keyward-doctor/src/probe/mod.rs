//! Looks, and changes nothing: gathers [`Facts`] about issuers, a gateway and a token, in a time that is known beforehand.
//!
//! Issuers are looked at at the same time, and each request by itself has a limit, so that what hangs costs only what was asked
//! of it. When the time for all is over, what was seen until then is what there is.

mod context;
mod credential;
mod progress;
mod provider_log;
mod reach;
mod target;
mod token;

pub use context::Means;
pub use progress::{Probe, Progress, Silent};
pub use reach::{Resolver, Resolving, SystemResolver};
pub use target::{IssuerTarget, Limits, RouteTarget, Target};

use crate::facts::{Facts, VERSION};
use context::Context;

/// The set of an issuer as the first address that has one answers it.
pub(crate) struct FetchedKeySet {
    /// Our name for the issuer.
    pub(crate) issuer: String,
    /// The text of the JWK Set, which [`keyward_jose::JwkSet`] has parsed once.
    pub(crate) text: Vec<u8>,
}

/// Looks at all of `target`, by these means.
pub async fn look(target: &Target, means: &Means) -> Facts {
    let context = Context::new(target, means);
    let began = context.now();
    let since = target.since;
    Facts {
        version: VERSION,
        gathered_at: began.wall.0,
        took_ms: context.ms_since(began.mono),
        since_s: since.as_secs(),
        issuers: Vec::new(),
        gateway: None,
        token: target.token.as_ref().map(|octets| token::token(octets, target, &[], None, began)),
        provider_log: target.provider_log.as_deref().map(|log| provider_log::provider_log(log, target)),
        warnings: target.warnings.clone(),
    }
}
