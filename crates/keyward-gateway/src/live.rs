//! What requests are decided by at the moment. A new configuration takes its place as a whole.

use std::sync::Arc;

use keyward::{RequirementId, SettingsError, Verifier};

use crate::client_certificate::ToldCertificates;
use crate::config::{Config, ConfigWarning};
use crate::dpop::Dpop;
use crate::events;
use crate::observers::Observers;
use crate::route::{Needs, RouteTable};
use crate::tls::ListenerTls;

/// One configuration at work.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) verifier: Verifier,
    pub(crate) routes: RouteTable,
    pub(crate) needs: Needs,
    /// One for each route, in order, and one for requests that match none.
    pub(crate) requirements: Vec<RequirementId>,
    /// What the next connections to each listener get; those that are open keep what they have.
    pub(crate) tls: Option<ListenerTls>,
    pub(crate) admin_tls: Option<ListenerTls>,
    pub(crate) client_certificate: Option<ToldCertificates>,
    pub(crate) dpop: Option<Dpop>,
}

impl Live {
    /// Starts a verifier for `config`; it goes on with the keys of `previous`.
    pub(crate) fn start(
        mut config: Config,
        observers: &Arc<Observers>,
        previous: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        let Observers { metrics, recorder, .. } = &**observers;
        metrics.expect(&config.issuers);
        recorder.expect(config.issuers.iter().map(|issuer| &*issuer.policy.name));
        let mut builder = Verifier::builder()
            .cache_octets(config.verdict_cache_octets)
            .clock(Arc::clone(recorder.clock()))
            .observer(Arc::clone(observers) as _);
        if let Some(previous) = previous {
            builder = builder.previous(&previous.verifier);
        }
        if let Some(dpop) = &mut config.dpop {
            builder = builder.binding(dpop.binding.clone()).replay_limit(dpop.used_proofs);
            if let Some(secret) = &dpop.secret {
                builder = builder.proof_secret(*secret.octets());
            }
            if let Some(shared) = &mut dpop.shared {
                shared.go_on_with(previous.and_then(|live| live.dpop.as_ref()?.shared.as_ref()));
                builder = builder.shared_replay(Arc::clone(&shared.redis) as _, shared.settings.clone());
            }
        }
        if let Some(folder) = config.snapshot_folder {
            builder = builder.snapshots(folder);
        }
        let requirements = config.routes.add_requirements(&mut builder);
        let builder = config.issuers.into_iter().fold(builder, |builder, issuer| builder.issuer(issuer));
        let needs = config.routes.needs();
        let verifier = builder.start()?;
        let (tls, admin_tls) = (config.tls, config.admin_tls);
        for (listener, tls) in [("gateway", &tls), ("admin", &admin_tls)] {
            metrics.tls_certificate(listener, tls.as_ref().map(ListenerTls::not_after));
        }
        // Of credentials the library tells itself.
        for warning in config.warnings.iter().filter(|w| !matches!(w, ConfigWarning::Credential(_))) {
            tracing::warn!(event = events::CONFIG_WARNING, "{warning}");
        }
        let (client_certificate, dpop) = (config.client_certificate, config.dpop);
        let routes = config.routes;
        Ok(Self { verifier, routes, needs, requirements, tls, admin_tls, client_certificate, dpop })
    }
}
