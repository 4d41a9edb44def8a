//! Calls in words.

use crate::facts::{Call, CallResult, ProviderLogCause, ProviderLogLine, Spoken, Variation};
use crate::rules::words::moment;

/// `introspection endpoint, client_secret_basic, as the gateway does: 401 invalid_client`.
pub(in crate::rules) fn call_told(call: &Call) -> String {
    let came = match &call.result {
        CallResult::Accepted => "accepted".to_owned(),
        CallResult::BelievesAnything => "accepted, and a made-up token is called active".to_owned(),
        CallResult::Malformed(why) => format!("no such answer: {why}"),
        CallResult::Refused(said) => said_told(said),
        CallResult::Unanswered { why, .. } => why.clone(),
    };
    format!("{} endpoint, {}, {}: {came}", call.endpoint, call.method, varied(call.variation))
}

/// `401 invalid_client ("the key is disabled")`.
pub(super) fn said_told(said: &Spoken) -> String {
    let mut told = said.status.to_string();
    if let Some(error) = &said.error {
        told.push_str(&format!(" {error}"));
    }
    if let Some(description) = &said.description {
        told.push_str(&format!(" ({description:?})"));
    }
    if let Some(seconds) = said.retry_after_s {
        told.push_str(&format!(", come again in {seconds} s"));
    }
    told
}

fn varied(variation: Variation) -> &'static str {
    match variation {
        Variation::AsClientAssertion => "with the key as a client's",
        Variation::AsGrant => "with the key for the grant",
        Variation::ByProvidersClock => "with times by the provider's clock",
        Variation::Configured => "as the gateway does",
        Variation::DiscoveredEndpoint => "where discovery says that it is",
        Variation::ForEndpoint => "for the introspection endpoint",
        Variation::ForIssuer => "for the issuer",
        Variation::ForTokenEndpoint => "for the token endpoint",
        Variation::NobodysKey => "with a key id that no key has",
        Variation::NobodysName => "by a name that no client has",
        Variation::NoCredential => "without any credential",
        Variation::OtherMethod => "by another method",
    }
}

/// `the provider's log: QUERY-Tha6f, 312 lines, the last at 2026-11-21T17:00:00Z`.
pub(super) fn line_told(line: &ProviderLogLine) -> String {
    let what = line.code.as_deref().unwrap_or(cause_told(line.cause));
    let whose = line.authority.as_ref().filter(|line| line.names_us).map_or("", |_| " of our client");
    let mut told = format!(
        "the provider's log: {what}{whose}, {}",
        crate::rules::words::several(usize::try_from(line.count).unwrap_or(usize::MAX), "line")
    );
    if let Some(first) = line.first_at.filter(|first| Some(*first) != line.last_at) {
        told.push_str(&format!(", the first at {}", moment(first)));
    }
    if let Some(last) = line.last_at {
        told.push_str(&format!(", the last at {}", moment(last)));
    }
    told
}

fn cause_told(cause: ProviderLogCause) -> &'static str {
    match cause {
        ProviderLogCause::AssertionAudience => "the audience of the assertion is wrong",
        ProviderLogCause::AssertionForm => "the assertion is not of the form that is wanted",
        ProviderLogCause::AssertionTimes => "the assertion's times are wrong",
        ProviderLogCause::BearerRefused => "the bearer token is not taken",
        ProviderLogCause::Certificate => "the certificate is not taken",
        ProviderLogCause::ClientDisabled => "the client is disabled",
        ProviderLogCause::ClientUnknown => "the client is not known",
        ProviderLogCause::GrantRefused => "the token is not granted",
        ProviderLogCause::KeyDisabled => "the key is disabled",
        ProviderLogCause::KeyExpired => "the key has expired",
        ProviderLogCause::KeyNotFound => "the key is not found",
        ProviderLogCause::Limited => "a client failed too often",
        ProviderLogCause::MayNotIntrospect => "the client may not ask about tokens",
        ProviderLogCause::ProjectionBehind => "the key is not known yet",
        ProviderLogCause::Replayed => "the assertion was used before",
        ProviderLogCause::SecretExpired => "the secret has expired",
        ProviderLogCause::SecretWrong => "the secret is wrong",
        ProviderLogCause::Signature => "the signature is wrong",
        ProviderLogCause::NoKid => "the assertion has no kid",
        ProviderLogCause::Unavailable => "it cannot be answered just now",
        ProviderLogCause::Untold => "a client is refused",
        ProviderLogCause::WrongIssuer => "the issuer of the assertion is wrong",
        ProviderLogCause::WrongKind => "the key is of the wrong kind",
        ProviderLogCause::WrongMethod => "the client authenticates itself in another way than it may",
    }
}
