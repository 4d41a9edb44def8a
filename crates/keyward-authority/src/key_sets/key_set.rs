//! One set, and what it is worth to this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::{KeptSet, KeySetState, MonoTime, NoSigningKey, UnixTime};
use keyward_jose::{Jws, Thumbprint};

use super::{IDLE, SETTLED, UNPROVED};
use crate::cause::Cause;

/// How long a request waits for the first fetch of a set.
const FIRST_WAIT: Duration = Duration::from_secs(3);

/// How long it waits for a key that a set lacks which is there.
const KEY_WAIT: Duration = Duration::from_secs(1);

/// The keys at an address.
#[derive(Debug)]
pub(crate) struct KeySet {
    set: KeptSet,
    clock: Arc<dyn Clock>,
    begun: MonoTime,
    /// When it last verified something, in nanoseconds of the monotonic clock; 0 where it has not.
    proved: AtomicU64,
}

/// What is shown to have been signed by a key of a set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) jws: &'a Jws<'a>,
    /// What its claims say, unverified.
    pub(crate) issued_at: Option<UnixTime>,
    /// When it came in.
    pub(crate) arrived: MonoTime,
}

impl KeySet {
    pub(super) fn new(set: KeptSet, clock: Arc<dyn Clock>, now: MonoTime) -> Arc<Self> {
        Arc::new(Self { set, clock, begun: now, proved: AtomicU64::new(0) })
    }

    /// Whether one of its keys signed this, as far as it is known without waiting.
    pub(crate) fn is_known_to_have_signed(&self, shown: Shown<'_>) -> bool {
        let Shown { jws, issued_at, arrived } = shown;
        let is_known = self.set.try_signing_key(arrived, jws, issued_at).is_ok();
        if is_known {
            self.proved();
        }
        is_known
    }

    /// Whether one of its keys signed this; for one that it lacks it may be fetched.
    ///
    /// # Errors
    /// [`Cause::AssertionKeyKindNotAllowed`], [`Cause::AssertionKeyUnknown`], [`Cause::AssertionSignatureWrong`],
    /// [`Cause::KeySetUnavailable`].
    pub(crate) async fn check_signature(&self, shown: Shown<'_>) -> Result<(), Cause> {
        let Shown { jws, issued_at, arrived } = shown;
        match self.set.signing_key(arrived, jws, issued_at, self.patience()).await {
            Ok(_) => {
                self.proved();
                Ok(())
            }
            Err(NoSigningKey::Invalid) => Err(Cause::AssertionSignatureWrong),
            Err(NoSigningKey::Unavailable(_)) => Err(Cause::KeySetUnavailable),
            Err(NoSigningKey::Unknown) => Err(Cause::AssertionKeyUnknown),
            Err(NoSigningKey::Unusable(_)) => Err(Cause::AssertionKeyKindNotAllowed),
        }
    }

    /// Whether it has the key of a certificate, as far as it is known without waiting.
    pub(crate) fn is_known_to_have(&self, arrived: MonoTime, thumbprint: &Thumbprint) -> bool {
        let is_known = self.set.try_key_with_thumbprint(arrived, thumbprint).is_ok();
        if is_known {
            self.proved();
        }
        is_known
    }

    /// Whether it has the key of a certificate, which was proved in a handshake (RFC 8705 §2.2.2); it may be fetched for that.
    ///
    /// # Errors
    /// [`Cause::CertificateOfAnother`], [`Cause::KeySetUnavailable`].
    pub(crate) async fn check_thumbprint(
        &self,
        arrived: MonoTime,
        thumbprint: &Thumbprint,
    ) -> Result<(), Cause> {
        match self.set.key_with_thumbprint(arrived, thumbprint, self.patience()).await {
            Ok(_) => {
                self.proved();
                Ok(())
            }
            Err(NoSigningKey::Unavailable(_)) => Err(Cause::KeySetUnavailable),
            Err(NoSigningKey::Invalid | NoSigningKey::Unknown | NoSigningKey::Unusable(_)) => {
                Err(Cause::CertificateOfAnother)
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.set.state() == KeySetState::Empty { FIRST_WAIT } else { KEY_WAIT }
    }

    pub(super) fn proved(&self) {
        self.proved.store(self.clock.mono().0.max(1), Ordering::Relaxed);
    }

    pub(super) fn is_idle(&self, now: MonoTime) -> bool {
        let (since, bound) = match self.worth() {
            0 => (self.begun, UNPROVED),
            proved => (MonoTime(proved), IDLE),
        };
        now.saturating_since(since) > bound
    }

    pub(super) fn is_settled(&self, now: MonoTime) -> bool {
        now.saturating_since(self.begun) >= SETTLED
    }

    /// The larger, the more it would be missed.
    pub(super) fn worth(&self) -> u64 {
        self.proved.load(Ordering::Relaxed)
    }
}
