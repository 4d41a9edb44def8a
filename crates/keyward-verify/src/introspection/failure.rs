//! Why introspection could not tell: one enum, one label each, made here and read everywhere.

use std::fmt;

use crate::Reason;

/// Why nobody knows what the endpoint thinks of a token. It is never the token's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The answer is signed, and the issuer's keys are not there to check it.
    AnswerKeysUnavailable,
    /// The endpoint asked to be left alone for a while (`Retry-After`).
    AskedToWait,
    /// Too many calls failed, so that none is made for a while.
    CircuitOpen,
    /// Our own credentials are refused, or were a moment ago.
    CredentialsRejected,
    /// Our own credentials cannot be had: what issues them fails.
    CredentialsUnavailable,
    /// The answer makes no sense.
    Malformed,
    /// As many calls are under way as may be.
    Overloaded,
    /// The endpoint refuses to be asked about this token.
    QuestionRefused,
    /// No answer in time.
    TimedOut,
    /// No connection, or one that broke.
    Transport,
    /// The endpoint says that it cannot: 5xx, 429, 408.
    Unavailable,
}

impl Failure {
    /// Every failure, in the order of their labels.
    pub const ALL: [Self; 11] = [
        Self::AnswerKeysUnavailable,
        Self::AskedToWait,
        Self::CircuitOpen,
        Self::CredentialsRejected,
        Self::CredentialsUnavailable,
        Self::Malformed,
        Self::Overloaded,
        Self::QuestionRefused,
        Self::TimedOut,
        Self::Transport,
        Self::Unavailable,
    ];

    /// The label in metrics, logs and the header that marks a fallback.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AnswerKeysUnavailable => "answer_keys_unavailable",
            Self::AskedToWait => "asked_to_wait",
            Self::CircuitOpen => "circuit_open",
            Self::CredentialsRejected => "credentials_rejected",
            Self::CredentialsUnavailable => "credentials_unavailable",
            Self::Malformed => "malformed",
            Self::Overloaded => "overloaded",
            Self::QuestionRefused => "question_refused",
            Self::TimedOut => "timed_out",
            Self::Transport => "transport",
            Self::Unavailable => "unavailable",
        }
    }

    /// What a client is told where no other way to decide is left: always undecided, since the token may be good.
    pub const fn reason(self) -> Reason {
        match self {
            Self::AnswerKeysUnavailable => Reason::KeysUnavailable,
            Self::CircuitOpen => Reason::IntrospectionCircuitOpen,
            Self::CredentialsRejected => Reason::IntrospectionCredentialsRejected,
            Self::Malformed | Self::QuestionRefused => Reason::IntrospectionMalformed,
            Self::Overloaded => Reason::Overloaded,
            Self::AskedToWait
            | Self::CredentialsUnavailable
            | Self::TimedOut
            | Self::Transport
            | Self::Unavailable => Reason::IntrospectionUnavailable,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_unique_and_name_the_variant() {
        let labels: BTreeSet<_> = Failure::ALL.iter().map(|failure| failure.label()).collect();
        assert_eq!(labels.len(), Failure::ALL.len());
        for failure in Failure::ALL {
            let variant = format!("{failure:?}").to_lowercase();
            assert_eq!(failure.label().replace('_', ""), variant);
        }
    }

    #[test]
    fn no_failure_is_the_tokens_doing() {
        assert!(Failure::ALL.iter().all(|failure| failure.reason().is_undecided()));
    }
}
