//! Why a caller could not be started, or brought no answer.

use std::time::Duration;

use keyward_jose::SignError;
use keyward_verify::Reason;
use keyward_verify::introspection::Failure;

use super::CredentialFileError;
use crate::fetch::FetchError;

/// Why a caller could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallerError {
    /// A file of the credential is of no use.
    #[error("{0}")]
    File(CredentialFileError),
    /// The HTTP client could not be made.
    #[error("no HTTP client can be made: {0}")]
    HttpClient(reqwest::Error),
}

/// Why a call brought no answer that says anything of what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The provider refuses our credential. Nobody shows it until the time has passed.
    #[error("the provider refuses our credential; it is tried again in {retry_in:?}")]
    CredentialsRejected {
        /// Until the next attempt.
        retry_in: Duration,
    },
    /// No bearer token of ours could be obtained in time.
    #[error("no token of ours could be obtained; the next attempt is in {retry_in:?}")]
    CredentialsUnavailable {
        /// Until the next attempt.
        retry_in: Duration,
    },
    /// There was no answer.
    #[error("{0}")]
    Fetch(FetchError),
    /// Our key could not sign.
    #[error("no assertion could be signed: {0}")]
    Sign(SignError),
}

impl CallError {
    /// The verdict on the token that was asked about: undecided, and never the token's fault (promise 2).
    pub const fn reason(&self) -> Reason {
        self.failure().reason()
    }

    /// What it is to whoever asked about a token.
    pub const fn failure(&self) -> Failure {
        match self {
            Self::CredentialsRejected { .. } => Failure::CredentialsRejected,
            Self::CredentialsUnavailable { .. } | Self::Sign(_) => Failure::CredentialsUnavailable,
            Self::Fetch(error) => Self::failure_of(error),
        }
    }

    pub(crate) const fn failure_of(error: &FetchError) -> Failure {
        match error {
            FetchError::Timeout { .. } => Failure::TimedOut,
            FetchError::Status { .. } => Failure::Unavailable,
            FetchError::DiscoveryMalformed { .. }
            | FetchError::NotNamed { .. }
            | FetchError::RedirectRefused { .. }
            | FetchError::TooLarge { .. } => Failure::Malformed,
            _ => Failure::Transport,
        }
    }
}
