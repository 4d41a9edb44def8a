//! What an issuer says about itself, at both places where it may (OpenID Connect Discovery §4, RFC 8414 §3).

use http::StatusCode;
use keyward::discovery::addresses;
use keyward::fetch::shown;
use serde_json::{Map, Value};
use url::Url;

use super::follow::{Followed, follow};
use super::reach::{Answered, Network, plain};
use crate::facts::DiscoveryFacts;

/// A discovery document.
pub(super) struct Discovered {
    /// As a fact.
    pub(super) facts: DiscoveryFacts,
    /// Where it was asked for.
    pub(super) named: Url,
    /// Where it says that the keys are, query and all.
    pub(super) jwks_uri: Option<Url>,
}

/// The most values that are told of a list.
const VALUES: usize = 32;

/// Asks `issuer` about itself; none where its name is no address.
pub(super) async fn discovery(network: &Network, issuer: &str) -> Option<Discovered> {
    let [openid, oauth] = addresses(issuer);
    let (openid, oauth) = (Url::parse(&openid).ok()?, Url::parse(&oauth).ok()?);
    let first = follow(network, &openid, &openid).await;
    if !first.answers.iter().any(|answer| answer.status == StatusCode::NOT_FOUND) || oauth == openid {
        return Some(discovered(network, openid, first));
    }
    let second = follow(network, &oauth, &oauth).await;
    match document(&second.answers) {
        Some(_) => Some(discovered(network, oauth, second)),
        None => Some(discovered(network, openid, first)),
    }
}

fn discovered(network: &Network, named: Url, followed: Followed) -> Discovered {
    let members = document(&followed.answers).unwrap_or_default();
    let text = |member: &str| members.get(member).and_then(Value::as_str);
    let url = |member: &str| text(member).and_then(|text| Url::parse(text).ok());
    let endpoint = |member: &str| url(member).map(|url| network.told(&url));
    let list = |member: &str| {
        let values = members.get(member).and_then(Value::as_array);
        let values = values.into_iter().flatten().take(VALUES).filter_map(Value::as_str).map(plain);
        values.collect::<Vec<_>>()
    };
    let methods = list("introspection_endpoint_auth_methods_supported");
    let facts = DiscoveryFacts {
        issuer: text("issuer").map(to_the_letter),
        jwks_uri: endpoint("jwks_uri"),
        introspection_endpoint: endpoint("introspection_endpoint"),
        token_endpoint: endpoint("token_endpoint"),
        auth_methods: if methods.is_empty() {
            list("token_endpoint_auth_methods_supported")
        } else {
            methods
        },
        signing_algorithms: list("id_token_signing_alg_values_supported"),
        reach: followed.reach,
    };
    Discovered { facts, named, jwks_uri: url("jwks_uri") }
}

/// The first address' document that is one.
fn document(answers: &[Answered]) -> Option<Map<String, Value>> {
    let found = answers.iter().filter(|answer| answer.status == StatusCode::OK && answer.is_whole);
    found.filter_map(|answer| serde_json::from_slice(&answer.body).ok()).next()
}

/// An issuer's name, as it stands there; less what may be a credential, which no issuer has.
fn to_the_letter(issuer: &str) -> String {
    let has_more = |url: &Url| *url != shown(url);
    match Url::parse(issuer).ok().filter(has_more) {
        Some(url) => shown(&url).into(),
        None => plain(issuer),
    }
}
