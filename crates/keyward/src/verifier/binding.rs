//! What a verifier holds requests' proofs against, and the proofs that were used.

use std::sync::Arc;

use keyward_verify::binding::{BindingCheck, BindingSettings, ReplayCache};
use zeroize::Zeroizing;

use super::Verifier;
use super::shared::{Shared, SharedPlan};
use crate::entropy;

/// What the caller says of proofs.
#[derive(Clone, Debug)]
pub(super) struct BindingPlan {
    pub(super) settings: BindingSettings,
    pub(super) replay_limit: usize,
    /// None for one of this process' own.
    pub(super) secret: Option<Arc<Zeroizing<[u8; 32]>>>,
    /// None where this process' memory is the only one.
    pub(super) shared: Option<SharedPlan>,
}

impl Default for BindingPlan {
    fn default() -> Self {
        Self {
            settings: BindingSettings::default(),
            replay_limit: ReplayCache::DEFAULT_LIMIT,
            secret: None,
            shared: None,
        }
    }
}

/// The check, and the memories that go with it.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) check: BindingCheck,
    pub(super) used: Arc<ReplayCache>,
    /// Asked about what is new here.
    pub(super) shared: Option<Shared>,
    /// What the check was made with, for the next configuration.
    secret: Arc<Zeroizing<[u8; 32]>>,
}

impl Binding {
    /// With a secret and a memory of its own, or those of `previous`: a proof that was used stays so, and a nonce that was
    /// given is still good.
    pub(super) fn new(plan: BindingPlan, seed: Option<u64>, previous: Option<&Self>) -> Self {
        let BindingPlan { settings, replay_limit, secret, shared } = plan;
        let own = || Arc::new(Zeroizing::new(seed.map_or_else(entropy::secret, entropy::derived_secret)));
        let (kept, used) = match previous {
            Some(previous) => {
                previous.used.set_limit(replay_limit);
                (Some(Arc::clone(&previous.secret)), Arc::clone(&previous.used))
            }
            None => (None, Arc::new(ReplayCache::new(replay_limit))),
        };
        let secret = secret.or(kept).unwrap_or_else(own);
        let before = previous.and_then(|previous| previous.shared.as_ref());
        let shared = shared.map(|plan| Shared::new(plan, before));
        Self { check: BindingCheck::new(settings, &secret), used, shared, secret }
    }
}

impl Verifier {
    /// What DPoP proofs must be like.
    pub fn binding_settings(&self) -> &BindingSettings {
        self.inner.binding.check.settings()
    }

    /// The nonce that proofs should hold now, for `DPoP-Nonce` (RFC 9449 §9); none where none is demanded.
    pub fn dpop_nonce(&self) -> Option<String> {
        self.inner.binding.check.nonce(self.inner.clock.now())
    }

    /// How many proofs are remembered as used, in this process.
    pub fn used_proofs(&self) -> usize {
        self.inner.binding.used.len()
    }
}
