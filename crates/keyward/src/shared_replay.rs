//! A memory of used proofs that several processes share, so that a proof passes once in all of them (RFC 9449 §11.1).

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use keyward_verify::binding::ReplayKey;

/// Remembers proofs for all who share it. What is behind it is not known here: Redis, or a table.
///
/// Times are not its matter: a question is dropped when its time is over.
pub trait SharedReplay: Send + Sync + Debug {
    /// Remembers a proof for this long at least, in one step with the look whether it is there: `true` where it was not. Of
    /// several who ask at once about the same one, one is told so. It may be `true` once more for the process that asked
    /// first, whose own memory knows what it let pass: the first answer may have been lost.
    fn remember<'a>(&'a self, key: &'a ReplayKey, time: Duration) -> Remembering<'a>;
}

/// What [`SharedReplay::remember`] comes back with: whether the proof is new, or why that cannot be told.
pub type Remembering<'a> = Pin<Box<dyn Future<Output = Result<bool, SharedReplayError>> + Send + 'a>>;

/// How a shared memory is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedReplaySettings {
    /// How long a request waits for it. Default 250 ms.
    pub timeout: Duration,
    /// What becomes of requests with proofs while it cannot be asked. Default: they are refused.
    pub when_down: WhenDown,
}

impl SharedReplaySettings {
    /// 250 ms: many times what a memory in the same network takes, and no time in which a client gives up.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(250);
}

impl Default for SharedReplaySettings {
    fn default() -> Self {
        Self { timeout: Self::DEFAULT_TIMEOUT, when_down: WhenDown::default() }
    }
}

/// What becomes of requests with proofs while the shared memory cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDown {
    /// This process' own memory decides. It gives up that a proof passes once in all processes: one that was used at
    /// another passes here once more.
    Local,
    /// They are [`Reason::ProofMemoryUnavailable`](crate::Reason::ProofMemoryUnavailable).
    #[default]
    Refuse,
}

impl WhenDown {
    /// The name in the configuration and in the log.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Refuse => "refuse",
        }
    }
}

/// Why a shared memory cannot tell whether a proof was used. It must hold no secret: it is logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedReplayError {
    /// It answers, and does not remember: it is full, or lets us not in.
    #[error("it refuses: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
    /// It did not answer in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// There is no connection to it, or it broke.
    #[error("it cannot be reached: {why}")]
    Unreachable {
        /// Why.
        why: String,
    },
}

impl SharedReplayError {
    /// The label in metrics and logs.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}
