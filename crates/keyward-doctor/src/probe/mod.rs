//! Looks, and changes nothing: gathers [`Facts`] about issuers, a gateway and a token, in a time that is known beforehand.
//!
//! Issuers are looked at at the same time, and each request by itself has a limit, so that what hangs costs only what was asked
//! of it. When the time for all is over, what was seen until then is what there is.

mod all;
mod authority;
mod clock;
mod configured;
mod context;
mod credential;
mod discovery;
mod elsewhere;
mod follow;
mod gateway;
mod issuer;
mod key_set;
mod progress;
mod provider_log;
mod reach;
mod target;
mod token;

pub use context::Means;
pub use progress::{Probe, Progress, Silent};
pub use reach::{Resolver, Resolving, SystemResolver};
pub use target::{IssuerTarget, Limits, RouteTarget, Target};
pub use token::kid_spelling;

use crate::facts::{AuthorityFacts, Facts, GatewayFacts, VERSION};
use all::all;
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
    let looking = target.issuers.iter().enumerate();
    let issuers = all(looking.map(|(place, issuer)| issuer::issuer(&context, target, place, issuer)));
    let authority = all(target.authority.iter().map(|admin| authority(&context, admin)));
    let (issuers, gateway, authority) = tokio::join!(issuers, gateway(&context, target), authority);
    let (issuers, key_sets): (Vec<_>, Vec<_>) = issuers.into_iter().unzip();
    let provider_log = target.provider_log.as_deref().map(|log| provider_log::provider_log(log, &issuers));
    let key_sets: Vec<_> = key_sets.into_iter().flatten().collect();
    let token = target.token.as_ref();
    let token = token.map(|token| token::token(token, target, &key_sets, gateway.as_ref(), context.now()));
    Facts {
        version: VERSION,
        gathered_at: began.wall.0,
        since_s: target.since.as_secs(),
        issuers,
        gateway,
        authority,
        token,
        provider_log,
        warnings: target.warnings.clone(),
        took_ms: context.ms_since(began.mono),
    }
}

async fn gateway(context: &Context, target: &Target) -> Option<GatewayFacts> {
    let looking = gateway::gateway(context, target.gateway.as_ref()?, target.since);
    Some(context.telling(Probe::Gateway, looking).await)
}

async fn authority(context: &Context, admin: &url::Url) -> AuthorityFacts {
    let probe = Probe::Authority(keyward::fetch::shown(admin).to_string());
    context.telling(probe, authority::authority(context, admin)).await
}
