//! What happens to keys, to introspection and to our credentials, as events: logged in one place, with one vocabulary, and handed to
//! whoever counts.

mod log;
mod logged;

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use keyward_verify::Reason;
use keyward_verify::introspection::{BreakerState, Failure};
use keyward_verify::key_set::{NoUsableKey, Refreshed, WrapperCertificate, WrapperPolicy, WrapperTrouble};

use crate::credentials::{CredentialFileError, PermissionsTooWide, ProviderError, TokenError};
use crate::fetch::FetchError;
use crate::shared_replay::WhenDown;
use crate::trace::Tracer;

pub(crate) use log::{log, log_cache};
pub use logged::{LOGGED, LoggedEvent};

/// Something that happened to an issuer's keys, to its introspection endpoint, to our credential there, or to the memory of
/// used proofs that processes share.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The provider takes our credential again. Logged as `credential_accepted`.
    CredentialAccepted,
    /// The provider does not take the bearer token that we have, and another one is obtained. Logged as
    /// `credential_dropped`.
    CredentialDropped {
        /// What it said.
        said: &'a ProviderError,
    },
    /// Others than its owner can read a file of our credential. Logged as `credential_exposed`.
    CredentialExposed {
        /// Which file, and its mode.
        warning: &'a PermissionsTooWide,
    },
    /// No bearer token was obtained, because the provider failed or could not be reached; the one that is there
    /// serves until it is over. Logged as `credential_failed`.
    CredentialFailed {
        /// Why.
        error: &'a TokenError,
        /// How many attempts have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// A bearer token was obtained. Logged as `credential_obtained`.
    CredentialObtained {
        /// For how long it is used.
        usable_for: Duration,
        /// How long the token request took.
        took: Duration,
    },
    /// No bearer token was obtained, because the provider refuses us: somebody has to mend that. Logged as
    /// `credential_refused`.
    CredentialRefused {
        /// Why.
        error: &'a TokenError,
        /// How many attempts have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// The provider refuses what we show it, and it is not shown again before some time has passed. Logged as
    /// `credential_rejected`.
    CredentialRejected {
        /// What it said.
        said: &'a ProviderError,
        /// How often in a row.
        rejections: u32,
        /// Until the next attempt.
        retry_in: Duration,
    },
    /// A file of the credential changed, and what is in it counts from now on. Logged as `credential_reloaded`.
    CredentialReloaded,
    /// A file of the credential changed and is of no use; the old credential still counts. Logged as
    /// `credential_reload_refused`.
    CredentialReloadRefused {
        /// Which file, and why.
        error: &'a CredentialFileError,
    },
    /// The breaker of the issuer's introspection endpoint changed. Logged as `introspection_circuit_opened`,
    /// `introspection_circuit_half_opened` or `introspection_circuit_closed`.
    IntrospectionBreaker {
        /// What it was.
        from: BreakerState,
        /// What it is.
        to: BreakerState,
        /// Until a call is tried again, where none is made meanwhile.
        retry_in: Option<Duration>,
    },
    /// A call of the introspection endpoint came to an end. It is counted and not logged.
    IntrospectionCalled {
        /// `active`, `inactive`, or the failure's label.
        outcome: &'static str,
        /// How long it took.
        took: Duration,
    },
    /// The introspection endpoint could not tell, for the first time after it could; while that goes on it is told
    /// again once a minute. Logged as `introspection_failed`.
    IntrospectionFailed {
        /// Why.
        failure: Failure,
        /// The same in words.
        why: &'a str,
        /// How many calls have failed in a row.
        failures: u64,
        /// How long this has gone on.
        since: Duration,
    },
    /// The introspection endpoint answers again. Logged as `introspection_recovered`.
    IntrospectionRecovered {
        /// How many calls had failed in a row.
        failures: u64,
        /// How long it went on.
        after: Duration,
    },
    /// The memory of used proofs that processes share was asked. It is counted and not logged.
    ProofMemoryAsked {
        /// `remembered`, `replayed`, or the error's label.
        outcome: &'static str,
        /// How long it took.
        took: Duration,
    },
    /// A request passed although the shared memory of used proofs could not be asked, by this process' own alone
    /// ([`WhenDown::Local`]). It is counted and not logged.
    ProofMemoryBypassed,
    /// The shared memory of used proofs could not tell, for the first time after it could; while that goes on it is told
    /// again once a minute. Logged as `proof_memory_failed`.
    ProofMemoryFailed {
        /// The label of the [`SharedReplayError`](crate::SharedReplayError).
        cause: &'static str,
        /// The same in words.
        why: &'a str,
        /// How many questions have failed in a row.
        failures: u64,
        /// How long this has gone on.
        since: Duration,
        /// What becomes of requests meanwhile.
        when_down: WhenDown,
    },
    /// The shared memory of used proofs answers again. Logged as `proof_memory_recovered`.
    ProofMemoryRecovered {
        /// How many questions had failed in a row.
        failures: u64,
        /// How long it went on.
        after: Duration,
    },
    /// A set was fetched and serves from now on. Logged as `jwks_refreshed`.
    Refreshed {
        /// What it changed.
        refreshed: &'a Refreshed,
        /// How many keys of the set cannot be used.
        skipped: usize,
        /// How long the fetch took.
        took: Duration,
    },
    /// The task that refreshes the keys panicked, which is a mistake of ours. It is started again; what was there
    /// still serves. Logged as `jwks_refresh_crashed`.
    RefreshCrashed {
        /// How many fetches have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// A fetch failed; what was there still serves. Logged as `jwks_refresh_failed`.
    RefreshFailed {
        /// Why.
        error: &'a FetchError,
        /// How many fetches have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// The provider's set has no usable key; what was there still serves. Logged as `jwks_refresh_failed`.
    RefreshRefused {
        /// What was skipped.
        no_usable_key: &'a NoUsableKey,
        /// How many fetches have failed in a row.
        failures: u32,
        /// Until the next one.
        retry_in: Duration,
    },
    /// Keys from the disk serve until a fetch succeeds. Logged as `cache_fallback`.
    SnapshotUsed {
        /// How many.
        key_count: usize,
        /// How old they are.
        age: Duration,
    },
    /// The keys on the disk are not used. Logged as `snapshot_refused`.
    SnapshotRefused {
        /// The file.
        path: &'a Path,
        /// Why.
        reason: &'a dyn std::error::Error,
    },
    /// The keys could not be written to the disk. Logged as `snapshot_write_failed`.
    SnapshotWriteFailed {
        /// The file.
        path: &'a Path,
        /// What the system said.
        error: &'a std::io::Error,
    },
    /// The X.509 certificate around a key is over. Logged as `wrapper_certificate_expired`.
    WrapperExpired {
        /// The key's `kid`, where it has one.
        kid: Option<&'a str>,
        /// The certificate.
        certificate: &'a WrapperCertificate,
        /// Since when.
        since: Duration,
        /// What that means for tokens.
        policy: WrapperPolicy,
    },
    /// The X.509 certificate around a key will be over: told at 30, 14, 7, 3 and 1 days before. Logged as
    /// `wrapper_certificate_expiring`.
    WrapperExpiring {
        /// The key's `kid`, where it has one.
        kid: Option<&'a str>,
        /// The certificate.
        certificate: &'a WrapperCertificate,
        /// Until then.
        left: Duration,
        /// What that will mean for tokens.
        policy: WrapperPolicy,
    },
    /// The X.509 certificate around a key begins in the future. Logged as `wrapper_certificate_untrusted`, which is what
    /// tokens are refused for meanwhile where that is the policy.
    WrapperNotYetValid {
        /// The key's `kid`, where it has one.
        kid: Option<&'a str>,
        /// The certificate.
        certificate: &'a WrapperCertificate,
        /// Until it begins.
        left: Duration,
        /// What that means for tokens.
        policy: WrapperPolicy,
    },
    /// Something else is wrong with the X.509 certificate around a key. Logged as `wrapper_certificate_mismatch` or
    /// `wrapper_certificate_untrusted`, which is what tokens are refused for where that is the policy.
    WrapperTroubled {
        /// The key's `kid`, where it has one.
        kid: Option<&'a str>,
        /// The certificate, where it can be read.
        certificate: Option<&'a WrapperCertificate>,
        /// What is wrong.
        trouble: &'a WrapperTrouble,
        /// What that means for tokens.
        policy: WrapperPolicy,
    },
}

impl Event<'_> {
    /// What it is logged as.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::CredentialAccepted => "credential_accepted",
            Self::CredentialDropped { .. } => "credential_dropped",
            Self::CredentialExposed { .. } => "credential_exposed",
            Self::CredentialFailed { .. } => "credential_failed",
            Self::CredentialObtained { .. } => "credential_obtained",
            Self::CredentialRefused { .. } => "credential_refused",
            Self::CredentialRejected { .. } => "credential_rejected",
            Self::CredentialReloadRefused { .. } => "credential_reload_refused",
            Self::CredentialReloaded => "credential_reloaded",
            Self::IntrospectionBreaker { to, .. } => match to {
                BreakerState::Closed => "introspection_circuit_closed",
                BreakerState::HalfOpen => "introspection_circuit_half_opened",
                BreakerState::Open => "introspection_circuit_opened",
            },
            Self::IntrospectionCalled { .. } => "introspection_called",
            Self::IntrospectionFailed { .. } => "introspection_failed",
            Self::IntrospectionRecovered { .. } => "introspection_recovered",
            Self::ProofMemoryAsked { .. } => "proof_memory_asked",
            Self::ProofMemoryBypassed => "proof_memory_bypassed",
            Self::ProofMemoryFailed { .. } => "proof_memory_failed",
            Self::ProofMemoryRecovered { .. } => "proof_memory_recovered",
            Self::RefreshCrashed { .. } => "jwks_refresh_crashed",
            Self::RefreshFailed { .. } | Self::RefreshRefused { .. } => "jwks_refresh_failed",
            Self::Refreshed { .. } => "jwks_refreshed",
            Self::SnapshotRefused { .. } => "snapshot_refused",
            Self::SnapshotUsed { .. } => "cache_fallback",
            Self::SnapshotWriteFailed { .. } => "snapshot_write_failed",
            Self::WrapperExpired { .. } => Reason::WrapperCertificateExpired.label(),
            Self::WrapperExpiring { .. } => "wrapper_certificate_expiring",
            Self::WrapperNotYetValid { .. } => Reason::WrapperCertificateUntrusted.label(),
            Self::WrapperTroubled { trouble, .. } => trouble.reason().label(),
        }
    }
}

/// Whoever wants to know of events, such as a counter.
pub trait Observer: Send + Sync + Debug {
    /// Called at each event, on the task that it happened to. It must not block. `issuer` is empty where it concerns no
    /// issuer: the shared memory of used proofs.
    fn observe(&self, issuer: &str, event: &Event<'_>);

    /// Who follows calls from their beginning to their end. By default nobody.
    fn tracer(&self) -> Option<&dyn Tracer> {
        None
    }
}

/// Does nothing.
#[derive(Debug)]
pub(crate) struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _issuer: &str, _event: &Event<'_>) {}
}
