//! Why a call said nothing of the token.

use std::time::Duration;

use keyward_verify::Reason;
use keyward_verify::introspection::{AnswerError, CallOutcome, Failure};

use crate::credentials::CallError;
use crate::fetch::FetchError;

/// Why a call said nothing of the token. No token, credential or text of the answer's is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// What came back is no answer.
    #[error("{0}")]
    Answer(#[from] AnswerError),
    /// The answer is signed, and the issuer's keys are not there.
    #[error("its signed answer cannot be checked: {0}")]
    AnswerKeys(Reason),
    /// Nothing came back.
    #[error("{0}")]
    Call(#[from] CallError),
    /// Nobody knows where the endpoint is.
    #[error("{0}")]
    Locate(FetchError),
    /// The token cannot stand in a form.
    #[error("the token is no text")]
    NotText,
}

impl Trouble {
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Answer(error) => match error {
                AnswerError::CredentialsRejected { .. } => Failure::CredentialsRejected,
                AnswerError::Malformed(_) => Failure::Malformed,
                AnswerError::QuestionRefused { .. } => Failure::QuestionRefused,
                AnswerError::Unavailable { .. } => Failure::Unavailable,
            },
            Self::AnswerKeys(_) => Failure::AnswerKeysUnavailable,
            Self::Call(error) => error.failure(),
            Self::Locate(error) => CallError::failure_of(error),
            Self::NotText => Failure::QuestionRefused,
        }
    }

    /// What it is to the breaker. What somebody's token causes is no failure of the endpoint's, and neither is a
    /// refusal of our credential.
    pub(super) fn outcome(&self) -> CallOutcome {
        match self.failure() {
            Failure::Malformed | Failure::TimedOut | Failure::Transport | Failure::Unavailable => {
                CallOutcome::Failed { retry_after: self.retry_after() }
            }
            Failure::CredentialsRejected | Failure::CredentialsUnavailable => CallOutcome::NotMade,
            _ => CallOutcome::Answered,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer(AnswerError::Unavailable { retry_after, .. }) => *retry_after,
            Self::Locate(error) | Self::Call(CallError::Fetch(error)) => error.retry_after(),
            _ => None,
        }
    }
}
