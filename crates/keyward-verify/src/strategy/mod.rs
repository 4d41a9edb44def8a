//! Which way a token is decided: by its issuer's keys, by its issuer's introspection endpoint (RFC 7662), or by the
//! one where the other cannot tell.
//!
//! A [`Flow`] takes a token that way, call by call, and says what it lacks; a [`Tactic`] is the table that it goes by.

mod flow;
mod plan;
mod tactic;

use std::fmt;
use std::time::Duration;

pub use flow::{Advance, Flow, Grounds};
pub use plan::Plan;
pub use tactic::{Pending, Tactic, Turn};

use crate::Reason;
use crate::introspection::Failure;

/// Which way tokens of an issuer are decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// The keys first; what they accept, the endpoint must confirm. Revocation, with the strictness of the keys.
    Both,
    /// The endpoint.
    Introspection,
    /// The endpoint; the keys where it cannot tell.
    IntrospectionThenKeySet,
    /// The keys.
    #[default]
    KeySet,
    /// The keys; the endpoint where they cannot tell.
    KeySetThenIntrospection,
}

/// What a verdict goes without that was reached by a fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GivenUp {
    /// Nobody asked whether the token was taken back.
    Revocation,
    /// Nobody here checked a signature: it is the endpoint's word alone.
    Signature,
}

/// When the second way may decide what the first one could not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallback {
    /// Only for tokens whose `iat` is younger; one without `iat` never is. Default any age.
    pub younger_than: Option<Duration>,
}

/// Why a verdict was reached by a fallback: what the first way came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FallbackCause {
    /// The endpoint could not tell.
    Introspection(Failure),
    /// The keys could not.
    KeySet(Reason),
}

impl Strategy {
    /// Every strategy, in the order of their labels.
    pub const ALL: [Self; 5] = [
        Self::Both,
        Self::Introspection,
        Self::IntrospectionThenKeySet,
        Self::KeySet,
        Self::KeySetThenIntrospection,
    ];

    /// The name in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Introspection => "introspection",
            Self::IntrospectionThenKeySet => "introspection_then_key_set",
            Self::KeySet => "key_set",
            Self::KeySetThenIntrospection => "key_set_then_introspection",
        }
    }

    /// Whether it needs an introspection endpoint.
    pub const fn introspects(self) -> bool {
        !matches!(self, Self::KeySet)
    }

    /// Whether the keys come first.
    pub const fn begins_with_keys(self) -> bool {
        matches!(self, Self::Both | Self::KeySet | Self::KeySetThenIntrospection)
    }

    /// Whether it is none without a fallback.
    pub const fn needs_fallback(self) -> bool {
        matches!(self, Self::IntrospectionThenKeySet | Self::KeySetThenIntrospection)
    }

    /// What its fallback gives up, where it can have one.
    pub const fn gives_up(self) -> Option<GivenUp> {
        match self {
            Self::Both | Self::IntrospectionThenKeySet => Some(GivenUp::Revocation),
            Self::Introspection | Self::KeySet => None,
            Self::KeySetThenIntrospection => Some(GivenUp::Signature),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl GivenUp {
    /// The name in the configuration.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Signature => "signature",
        }
    }
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl FallbackCause {
    /// The label in metrics, logs and the header that marks a fallback.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Introspection(failure) => failure.label(),
            Self::KeySet(reason) => reason.label(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn labels_are_unique_and_name_the_variant() {
        let labels: BTreeSet<_> = Strategy::ALL.iter().map(|strategy| strategy.label()).collect();
        assert_eq!(labels.len(), Strategy::ALL.len());
        for strategy in Strategy::ALL {
            assert_eq!(strategy.label().replace('_', ""), format!("{strategy:?}").to_lowercase());
        }
    }

    #[test]
    fn a_fallback_that_is_needed_says_what_it_gives_up() {
        let needs = Strategy::ALL.into_iter().filter(|strategy| strategy.needs_fallback());
        assert!(needs.into_iter().all(|strategy| strategy.gives_up().is_some()));
    }
}
