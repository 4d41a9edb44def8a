//! What a node keeps for its token endpoints.

use std::sync::Arc;

use keyward::Now;
use keyward::binding::{BindingCheck, BindingSettings};
use keyward::fetch::Transport;

use super::external_signers::ExternalSigners;
use super::signed_tokens::SignedTokens;

/// What a node keeps for its token endpoints. Clones are the same.
#[derive(Clone, Debug)]
pub struct Tokens {
    binding: Arc<BindingCheck>,
    pub(super) external_signers: Arc<ExternalSigners>,
    pub(super) signed: Arc<SignedTokens>,
}

impl Default for Tokens {
    /// No nonce is demanded of proofs, and external signers are reached by this machine's network.
    fn default() -> Self {
        // Without nonces the secret keys nothing but the names by which used proofs are kept in the database, which are the
        // same on every node so.
        let binding = Arc::new(BindingCheck::new(BindingSettings::default(), &[0; 32]));
        Self { binding, external_signers: Arc::default(), signed: Arc::default() }
    }
}

impl Tokens {
    pub(crate) fn with_dpop(self, settings: BindingSettings, secret: &[u8; 32]) -> Self {
        Self { binding: Arc::new(BindingCheck::new(settings, secret)), ..self }
    }

    pub(crate) fn with_transport(self, transport: Arc<dyn Transport>) -> Self {
        Self { external_signers: Arc::new(ExternalSigners::by(transport)), ..self }
    }

    /// What DPoP proofs must be like.
    pub fn binding(&self) -> &BindingCheck {
        &self.binding
    }

    /// The nonce that proofs should hold now, for `DPoP-Nonce` (RFC 9449 §8); none where none is demanded.
    pub fn dpop_nonce(&self, now: Now) -> Option<String> {
        self.binding.nonce(now)
    }
}
