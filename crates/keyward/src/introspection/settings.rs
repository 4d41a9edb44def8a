//! What a caller says of an issuer's introspection endpoint.

use std::time::Duration;

use keyward_verify::introspection::{AnswerCacheSettings, AnswerForm, BreakerSettings};
use keyward_verify::strategy::{Fallback, GivenUp};

use crate::credentials::CredentialSettings;
use crate::endpoint::EndpointPlace;

/// An issuer's introspection endpoint (RFC 7662), and how it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct IntrospectionSettings {
    /// Where it is. Default where discovery says.
    pub endpoint: EndpointPlace,
    /// Who we are there.
    pub credential: CredentialSettings,
    /// How long one call may take, our own token, DNS, connection, TLS and body included. Default 2 s.
    pub timeout: Duration,
    /// How many calls may be under way at once; what comes beyond that is decided without a call. Default 256.
    pub concurrency: usize,
    /// Whether a second call is made where the first takes longer than 95 of 100 do. Default not.
    pub hedge: bool,
    /// Which answers are believed. Default plain ones.
    pub form: AnswerForm,
    /// The accepted values of `token_type`. Default `Bearer` and `access_token`.
    pub token_types: Vec<Box<str>>,
    /// How long answers are remembered. Default 30 s, and 5 s where a token is not active.
    pub cache: AnswerCacheSettings,
    /// When no calls are made any more.
    pub breaker: BreakerSettings,
}

impl IntrospectionSettings {
    /// The defaults with this credential.
    pub fn new(credential: CredentialSettings) -> Self {
        Self {
            endpoint: EndpointPlace::Discovery,
            credential,
            timeout: Duration::from_secs(2),
            concurrency: 256,
            hedge: false,
            form: AnswerForm::Plain,
            token_types: vec!["Bearer".into(), "DPoP".into(), "access_token".into()],
            cache: AnswerCacheSettings::default(),
            breaker: BreakerSettings::default(),
        }
    }
}

/// Whether, and when, the second way of a strategy may decide what the first one could not. What that gives up has to
/// be said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FallbackSettings {
    /// What may be gone without.
    pub gives_up: Vec<GivenUp>,
    /// For which tokens.
    pub fallback: Fallback,
}
