//! What requests are decided by at the moment. A new configuration takes its place as a whole.

use std::sync::Arc;

use keyward::{RequirementId, SettingsError, Verifier};

use crate::config::Config;
use crate::metrics::Metrics;
use crate::route::{Needs, RouteTable};

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) verifier: Verifier,
    pub(crate) routes: RouteTable,
    pub(crate) needs: Needs,
    /// One for each route, in order, and one for requests that match none.
    pub(crate) requirements: Vec<RequirementId>,
}

impl Live {
    /// Starts a verifier for `config`; it goes on with the keys of `previous`.
    pub(crate) fn start(
        config: Config,
        metrics: &Arc<Metrics>,
        previous: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        metrics.expect(&config.issuers);
        let observer = Arc::clone(metrics) as _;
        let mut builder = Verifier::builder().cache_octets(config.verdict_cache_octets).observer(observer);
        if let Some(previous) = previous {
            builder = builder.previous(&previous.verifier);
        }
        if let Some(folder) = config.snapshot_folder {
            builder = builder.snapshots(folder);
        }
        let requirements = config.routes.add_requirements(&mut builder);
        let builder = config.issuers.into_iter().fold(builder, |builder, issuer| builder.issuer(issuer));
        let needs = config.routes.needs();
        Ok(Self { verifier: builder.start()?, routes: config.routes, needs, requirements })
    }
}
