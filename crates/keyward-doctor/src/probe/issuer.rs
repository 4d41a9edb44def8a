//! One issuer: its documents, its keys and our credential there.

use keyward::KeySource;
use keyward::address::is_acceptable;
use url::Url;

use super::configured::configured;
use super::context::Context;
use super::discovery::discovery;
use super::elsewhere::{elsewhere, is_worth};
use super::key_set::{Keys, key_set};
use super::progress::Probe;
use super::reach::Network;
use super::target::{IssuerTarget, Target};
use super::{FetchedKeySet, credential};
use crate::facts::IssuerFacts;

/// All that there is to see of one issuer, and its keys.
pub(super) async fn issuer(
    context: &Context,
    target: &Target,
    place: usize,
    issuer: &IssuerTarget,
) -> (IssuerFacts, Option<FetchedKeySet>) {
    let name = || issuer.name().to_owned();
    let network = Network::new(context, issuer);
    let discovered = if says_of_itself(issuer) {
        let looking = discovery(&network, &issuer.settings.policy.issuer);
        context.telling(Probe::Discovery(name()), looking).await
    } else {
        None
    };
    let ahead = network.ahead();
    let keys = context.telling(Probe::KeySet(name()), key_set(&network, issuer, discovered.as_ref()));
    let documented = discovered.as_ref().map(|discovered| &discovered.facts);
    let introspection = credential::introspection(issuer, documented, ahead, &network);
    let (keys, introspection) = tokio::join!(keys, introspection);
    let (mut key_set, text) = keys.map(|Keys { facts, text }| (facts, text)).unzip();
    if let Some(facts) = key_set.as_mut().filter(|facts| is_worth(facts)) {
        let looking = elsewhere(&network, issuer, discovered.as_ref(), &facts.place);
        facts.elsewhere = context.telling(Probe::Elsewhere(name()), looking).await;
    }
    let facts = IssuerFacts {
        configured: configured(target, place, issuer),
        discovery: discovered.map(|discovered| discovered.facts),
        key_set,
        introspection,
        clock: network.ahead(),
    };
    (facts, text.flatten().map(|text| FetchedKeySet { issuer: name(), text }))
}

/// Whether there is a reason to ask it about itself: keys in a file, or a secret, are good without the issuer being there, and
/// where nothing is to be found by discovery its name need be no address that may be asked.
fn says_of_itself(issuer: &IssuerTarget) -> bool {
    let settings = &issuer.settings;
    let is_found = settings.source == Some(KeySource::Discovery);
    let is_there = matches!(settings.source, Some(KeySource::JwksUri(_))) || settings.introspection.is_some();
    is_found || is_there && Url::parse(&settings.policy.issuer).is_ok_and(|url| is_acceptable(&url))
}
