//! What a token is bound to, held against what the request shows.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use keyward_jose::{AlgorithmSet, DecodeBuffer, KeyedHash, Thumbprint};

use super::proof::{Expected, ProofError};
use super::{Demanded, Nonces, Once, Presented, Proofs, Scheme};
use crate::{Now, Reason, Verified};

/// What DPoP proofs must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingSettings {
    /// How old a proof may be, beyond [`leeway`](Self::leeway). Default 60 s: a client makes one for each request.
    pub age: Duration,
    /// The algorithms that it may be signed with; a symmetric one never is. Default every asymmetric one.
    pub algorithms: AlgorithmSet,
    /// By how much a client's clock may differ from ours, either way. Default 60 s. Together with `age` it is how long a
    /// proof that was used is remembered.
    pub leeway: Duration,
    /// The slot of time that a nonce is of, where proofs must hold one that we gave: it lives for one to two of them
    /// (RFC 9449 §9). Default none: no nonce is demanded.
    pub nonce_slot: Option<Duration>,
    /// The longest proof that is looked at, in octets. Default 8 KiB, which an RSA key of 8192 bits fits.
    pub proof_size_limit: usize,
}

impl Default for BindingSettings {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(60),
            algorithms: AlgorithmSet::asymmetric(),
            leeway: Duration::from_secs(60),
            nonce_slot: None,
            proof_size_limit: 8 * 1024,
        }
    }
}

/// Holds what requests show against what their tokens are bound to.
pub struct BindingCheck {
    settings: BindingSettings,
    nonces: Option<Nonces>,
    hash: KeyedHash,
}

/// What a request's proofs came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Checked {
    /// The binding holds, or there is none and none is demanded.
    Holds,
    /// It holds unless the proof was used before: hand this to [`ReplayCache::remember`](super::ReplayCache::remember).
    Once(Once),
}

/// What a proof proves by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Proved {
    /// The key that made it: `jkt`.
    pub key: Thumbprint,
    /// It counts unless it was used before.
    pub once: Once,
}

/// Why a request does not prove what its token is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// What it proves is another certificate or key.
    #[error("the token is bound to another certificate or key")]
    Mismatch,
    /// It proves nothing, sends the token by a scheme that would prove nothing, or the token is not bound as is demanded.
    #[error("nothing is proved of what the token is, or must be, bound to")]
    Missing,
    /// The proof holds no nonce that we gave lately.
    #[error("the proof holds no nonce of ours that is recent")]
    Nonce,
    /// The proof is none.
    #[error("the proof is not valid: {0}")]
    Proof(#[from] ProofError),
}

impl BindingError {
    /// The reason that it comes to.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Mismatch => Reason::BindingMismatch,
            Self::Missing => Reason::BindingMissing,
            Self::Nonce => Reason::ProofNonceRequired,
            Self::Proof(_) => Reason::ProofInvalid,
        }
    }
}

impl From<BindingError> for Reason {
    fn from(error: BindingError) -> Self {
        error.reason()
    }
}

impl BindingCheck {
    /// With these settings. `secret` keys nonces and the hash by which proofs are remembered: it should be random, and
    /// processes that share it take each other's nonces and could share a memory of proofs.
    pub fn new(settings: BindingSettings, secret: &[u8; 32]) -> Self {
        let nonces = settings.nonce_slot.map(|slot| Nonces::new(&derived(secret, b"nonce"), slot));
        Self { settings, nonces, hash: KeyedHash::new(derived(secret, b"replay")) }
    }

    /// What proofs must be like.
    pub fn settings(&self) -> &BindingSettings {
        &self.settings
    }

    /// The nonce to hand out now (`DPoP-Nonce`, RFC 9449 §9), where one is demanded.
    pub fn nonce(&self, now: Now) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(now.wall))
    }

    /// Whether there is anything to check: what is bound to nothing, sent as a bearer token where nothing is demanded,
    /// costs three comparisons.
    #[inline]
    pub fn concerns(demanded: Option<Demanded>, verified: &Verified, presented: &Presented<'_>) -> bool {
        verified.is_bound() || demanded.is_some() || presented.scheme != Scheme::Bearer
    }

    /// Holds what was presented against what `verified` is bound to, and against what is demanded here of every token.
    ///
    /// `token` is the token that `verified` was made of.
    ///
    /// - What a token is bound to must be proved, whether that is demanded or not; what an introspection endpoint says
    ///   that it is bound to, as well.
    /// - A token that is bound to a key is refused as a bearer token, and any other one under `DPoP` (RFC 9449 §7.1,
    ///   §7.2).
    ///
    /// # Errors
    /// [`BindingError`], whose [`reason`](BindingError::reason) is the request's.
    pub fn check(
        &self,
        now: Now,
        demanded: Option<Demanded>,
        token: &[u8],
        verified: &Verified,
        presented: &Presented<'_>,
        buffer: &mut DecodeBuffer,
    ) -> Result<Checked, BindingError> {
        if verified.confirmations().any(|confirmation| confirmation.is_unknown()) {
            return Err(BindingError::Missing);
        }
        let needs_certificate = verified.confirmations().any(|confirmation| confirmation.has_certificate());
        let needs_key = verified.confirmations().any(|confirmation| confirmation.has_key());
        let suffices = match demanded {
            None => true,
            Some(Demanded::Any) => needs_certificate || needs_key,
            Some(Demanded::Certificate) => needs_certificate,
            Some(Demanded::Dpop) => needs_key,
        };
        if !suffices || needs_key != (presented.scheme == Scheme::Dpop) {
            return Err(BindingError::Missing);
        }
        if needs_certificate {
            let certificate = presented.certificate.ok_or(BindingError::Missing)?;
            if !verified.confirmations().all(|confirmation| confirmation.allows_certificate(certificate)) {
                return Err(BindingError::Mismatch);
            }
        }
        if !needs_key {
            return Ok(Checked::Holds);
        }
        let proof = match &presented.proofs {
            Proofs::Absent => return Err(BindingError::Missing),
            Proofs::One(proof) => proof,
            Proofs::Several => return Err(ProofError::Several.into()),
        };
        let is_bound_to = |key| verified.confirmations().all(|confirmation| confirmation.allows_key(key));
        let Self { settings, nonces, hash } = self;
        let expected = Expected { settings, nonces: nonces.as_ref(), hash, token: Some(token) };
        expected.check(now, proof, is_bound_to, buffer).map(Checked::Once)
    }

    /// What a proof proves by itself: the key that made it. That is what a token endpoint binds a new token to (RFC 9449 §5),
    /// and what an issuer holds against its own tokens. Where there is a `token`, `ath` has to name it.
    ///
    /// The proof counts only if it was not used before: see [`Once`].
    ///
    /// # Errors
    /// [`BindingError`]; [`BindingError::Missing`] where there is no proof.
    pub fn prove(
        &self,
        now: Now,
        proofs: &Proofs<'_>,
        token: Option<&[u8]>,
        buffer: &mut DecodeBuffer,
    ) -> Result<Proved, BindingError> {
        let proof = match proofs {
            Proofs::Absent => return Err(BindingError::Missing),
            Proofs::One(proof) => proof,
            Proofs::Several => return Err(ProofError::Several.into()),
        };
        let Self { settings, nonces, hash } = self;
        let expected = Expected { settings, nonces: nonces.as_ref(), hash, token };
        let mut key = None;
        let any_key = |proved| {
            key = Some(proved);
            true
        };
        let once = expected.check(now, proof, any_key, buffer)?;
        // A proof that holds has a key.
        let key = key.ok_or(ProofError::MemberMissing { member: "jwk" })?;
        Ok(Proved { key, once })
    }
}

impl fmt::Debug for BindingCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindingCheck").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A secret of its own for each purpose.
fn derived(secret: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose);
    let mut derived = [0; 32];
    derived.iter_mut().zip(tag.as_ref()).for_each(|(octet, of_tag)| *octet = *of_tag);
    derived
}
