//! What is configured, as a fact.

use keyward::KeySource;
use keyward::endpoint::EndpointPlace;
use keyward::fetch::shown;
use url::Url;

use super::target::{IssuerTarget, Target};
use crate::facts::Configured;

/// What is configured for the issuer at this place of `target`.
pub(super) fn configured(target: &Target, place: usize, issuer: &IssuerTarget) -> Configured {
    let settings = &issuer.settings;
    let policy = &settings.policy;
    let owned = |texts: &[Box<str>]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let tactic = settings.tactic(settings.strategy).ok();
    let endpoint = settings.introspection.as_ref().and_then(|introspection| match &introspection.endpoint {
        EndpointPlace::Discovery => None,
        EndpointPlace::Url(url) => Some(String::from(shown(url))),
    });
    Configured {
        name: policy.name.to_string(),
        issuer: issuer_name(&policy.issuer),
        from_file: target.from_file,
        key_source: match &settings.source {
            Some(KeySource::Certificates { path, .. } | KeySource::File(path)) => {
                Some(path.display().to_string())
            }
            Some(KeySource::JwksUri(url)) => Some(shown(url).into()),
            Some(KeySource::Discovery) | None => None,
        },
        discovers: settings.source == Some(KeySource::Discovery),
        strategy: settings.strategy.label().to_owned(),
        has_fallback: tactic.is_some_and(|tactic| tactic.fallback.is_some()),
        introspection_endpoint: endpoint,
        audiences: audiences(target, place, &policy.audiences),
        token_types: owned(&policy.token_types),
        algorithms: policy.algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect(),
        denied_kids: owned(&policy.denied_kids),
        allowed_hosts: settings.allowed_hosts.iter().map(ToString::to_string).collect(),
        leeway_s: policy.leeway.as_secs(),
        ttl_s: settings.key_set.ttl.as_secs_f64(),
        stale_limit_s: settings.key_set.stale_limit.as_secs_f64(),
        wrapper_policy: policy.wrapper.label().to_owned(),
    }
}

/// The issuer's own audiences, and those of the routes that take its tokens.
fn audiences(target: &Target, place: usize, own: &[Box<str>]) -> Vec<String> {
    let demanded = target.routes.iter().map(|route| &route.settings.requirement);
    let here = demanded.filter(|demanded| demanded.issuers.is_empty() || demanded.issuers.contains(&place));
    let mut audiences: Vec<String> = Vec::new();
    for audience in own.iter().chain(here.flat_map(|demanded| &demanded.audiences)) {
        if !audiences.iter().any(|known| **known == **audience) {
            audiences.push(audience.to_string());
        }
    }
    audiences
}

/// To the letter, less what may be a credential.
fn issuer_name(issuer: &str) -> String {
    match Url::parse(issuer).ok().filter(|url| *url != shown(url)) {
        Some(url) => shown(&url).into(),
        None => issuer.to_owned(),
    }
}
