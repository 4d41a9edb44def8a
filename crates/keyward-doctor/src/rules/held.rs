//! An issuer as it was probed, beside the same issuer as the gateway has it.

use crate::facts::{Facts, GatewayIssuer, IssuerFacts, RecordedTransition, RecorderFacts};

/// An issuer, as far as it was seen.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// Our name for it.
    pub(super) name: &'a str,
    /// As it was probed; none where only the gateway knows it.
    pub(super) probed: Option<&'a IssuerFacts>,
    /// As the gateway has it; none where no gateway was asked, or it does not have it.
    pub(super) held: Option<&'a GatewayIssuer>,
}

/// Every issuer that was probed, or that the gateway has.
pub(super) fn issuers(facts: &Facts) -> Vec<Seen<'_>> {
    let of_gateway = held(facts).unwrap_or_default();
    let mut issuers: Vec<Seen<'_>> = facts
        .issuers
        .iter()
        .map(|probed| Seen {
            name: &probed.configured.name,
            probed: Some(probed),
            held: of_gateway.iter().find(|held| is_same(probed, held)),
        })
        .collect();
    let others = of_gateway.iter().filter(|held| !facts.issuers.iter().any(|probed| is_same(probed, held)));
    issuers.extend(others.map(|held| Seen { name: &held.name, probed: None, held: Some(held) }));
    issuers
}

/// The gateway's issuers; none where it did not tell them.
pub(super) fn held(facts: &Facts) -> Option<&[GatewayIssuer]> {
    facts.gateway.as_ref()?.issuers.as_deref()
}

/// What the gateway's recorder tells.
pub(super) fn recorder(facts: &Facts) -> Option<&RecorderFacts> {
    facts.gateway.as_ref()?.recorder.as_ref()
}

/// What changed of an issuer within the time that counts are of, the last first.
pub(super) fn lately<'a>(facts: &'a Facts, name: &'a str) -> impl Iterator<Item = &'a RecordedTransition> {
    let recorder = recorder(facts);
    let since = recorder.map_or(0, |recorder| recorder.since_seconds);
    recorder
        .into_iter()
        .flat_map(|recorder| &recorder.transitions)
        .filter(move |transition| transition.issuer.as_deref() == Some(name))
        .filter(move |transition| transition.last_seconds_ago.unwrap_or(transition.seconds_ago) <= since)
}

/// The name that was given on a command line need not be the gateway's: what `iss` says is the same.
fn is_same(probed: &IssuerFacts, held: &GatewayIssuer) -> bool {
    probed.configured.issuer == held.issuer || probed.configured.name == held.name
}
