//! Other places where an issuer's keys might be, where the place that is configured has none.

use std::time::Duration;

use keyward::KeySource;
use keyward::fetch::shown;
use url::Url;

use super::discovery::Discovered;
use super::key_set::usable_keys;
use super::reach::{Network, Request};
use super::target::IssuerTarget;
use crate::facts::{Elsewhere, Ended, KeySetFacts};

/// How long one place may take. It is asked only where something else at the same host has just answered.
const TIME: Duration = Duration::from_secs(2);

/// Where providers have their keys, after the host: the well-known one, Supabase, Zitadel, and several others.
const AFTER_HOST: [&str; 4] =
    ["/.well-known/jwks.json", "/auth/v1/.well-known/jwks.json", "/oauth/v2/keys", "/jwks"];

/// The same, after the issuer: Auth0 and Cognito, Keycloak, IdentityServer.
const AFTER_ISSUER: [&str; 3] =
    ["/.well-known/jwks.json", "/protocol/openid-connect/certs", "/.well-known/openid-configuration/jwks"];

/// Whether it is worth looking elsewhere: somebody answers there, and it is no key set, and not for a while.
pub(super) fn is_worth(facts: &KeySetFacts) -> bool {
    let is_wrong = |ended: &Ended| match ended {
        Ended::Answered(answer) => answer.status < 500 && answer.status != 429,
        _ => false,
    };
    let attempts = facts.reach.iter().flat_map(|reach| &reach.attempts);
    facts.answers.is_empty() && attempts.map(|attempt| &attempt.ended).any(is_wrong)
}

/// What is at the other places, one after the other, until keys are found.
pub(super) async fn elsewhere(
    network: &Network,
    issuer: &IssuerTarget,
    discovered: Option<&Discovered>,
    asked: &str,
) -> Vec<Elsewhere> {
    let mut found = Vec::new();
    for (named, url) in candidates(issuer, discovered, asked) {
        let request = Request::get(&named, &url, TIME.min(network.time()));
        if network.context().asked_to_wait(&url).is_some() || network.context().left().is_zero() {
            break;
        }
        let exchange = network.ask_one(&request).await;
        let answer = exchange.answers.first();
        let usable_keys = answer.and_then(usable_keys);
        let status = answer.map(|answer| answer.status.as_u16());
        found.push(Elsewhere { url: exchange.reach.url, status, usable_keys });
        if usable_keys.is_some_and(|keys| keys > 0) || answer.is_none() {
            break;
        }
    }
    found
}

/// What names each place, and the place.
fn candidates(issuer: &IssuerTarget, discovered: Option<&Discovered>, asked: &str) -> Vec<(Url, Url)> {
    let configured = match &issuer.settings.source {
        Some(KeySource::JwksUri(url)) => Some(url.clone()),
        _ => Url::parse(&issuer.settings.policy.issuer).ok(),
    };
    let Some(configured) = configured else { return Vec::new() };
    let mut candidates: Vec<(Url, Url)> = Vec::new();
    if let Some(discovered) = discovered
        && let Some(jwks_uri) = &discovered.jwks_uri
    {
        candidates.push((discovered.named.clone(), jwks_uri.clone()));
    }
    let base = issuer.settings.policy.issuer.trim_end_matches('/');
    let after_issuer = AFTER_ISSUER.iter().filter_map(|path| Url::parse(&format!("{base}{path}")).ok());
    let after_host = AFTER_HOST.iter().filter_map(|path| configured.join(path).ok());
    let is_same_host = |url: &Url| url.origin() == configured.origin();
    let guessed = after_issuer.chain(after_host).filter(is_same_host);
    candidates.extend(guessed.map(|url| (url.clone(), url)));
    let mut seen = vec![asked.to_owned()];
    candidates.retain(|(_, url)| {
        let place = String::from(shown(url));
        let is_new = !seen.contains(&place);
        seen.push(place);
        is_new
    });
    candidates
}

#[cfg(test)]
mod tests {
    use keyward::IssuerSettings;

    use super::*;

    #[test]
    fn other_places_are_on_the_same_host_and_each_is_there_once() {
        let wrong =
            Url::parse("https://user:planted@idp.example/rest/v1/.well-known/jwks.json").expect("a URL");
        let settings = IssuerSettings::jwks_uri("https://idp.example/auth/v1", wrong.clone());
        let issuer = IssuerTarget { settings };
        let asked = String::from(shown(&wrong));
        let places: Vec<_> =
            candidates(&issuer, None, &asked).into_iter().map(|(_, url)| url.path().to_owned()).collect();
        assert_eq!(
            places,
            [
                "/auth/v1/.well-known/jwks.json",
                "/auth/v1/protocol/openid-connect/certs",
                "/auth/v1/.well-known/openid-configuration/jwks",
                "/.well-known/jwks.json",
                "/oauth/v2/keys",
                "/jwks",
            ]
        );
        let elsewhere = Url::parse("https://keys.example/jwks").expect("a URL");
        let settings = IssuerSettings::jwks_uri("https://idp.example/auth/v1", elsewhere);
        let candidates = candidates(&IssuerTarget { settings }, None, "https://keys.example/jwks");
        assert!(candidates.iter().all(|(_, url)| url.host_str() == Some("keys.example")), "{candidates:?}");
    }
}
