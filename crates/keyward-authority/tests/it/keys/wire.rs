//! What is published of keys.

use axum::body::to_bytes;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use keyward_authority::cause::Cause;
use keyward_authority::entity::Realm;
use keyward_authority::http::{Abilities, ClientCertificates, discovery, jwks};
use keyward_authority::signing::{KeyState, KeyTimes};
use keyward_jose::AlgorithmSet;
use std::sync::Arc;

use super::node::{Node, REALM, realm};
use crate::bench::{Bench, conformance};

conformance! {
    a_realm_without_a_key_that_signs_is_unavailable_and_its_set_never_empty
    what_cannot_be_published_signs_nothing_and_costs_no_other_key
    a_key_set_is_sent_again_when_it_changed_and_not_otherwise
    a_realm_says_what_its_tokens_may_be_signed_with
}

async fn ask(node: &Node, realm: &Realm, etag: Option<&http::HeaderValue>) -> Response {
    let mut headers = HeaderMap::new();
    headers.extend(etag.map(|etag| (IF_NONE_MATCH, etag.clone())));
    let answer = jwks(&node.authority, &Arc::new(realm.clone()), &headers).await;
    answer.unwrap_or_else(|refusal| {
        assert_eq!(refusal.cause, Cause::Unavailable);
        refusal.into_response()
    })
}

async fn json(answer: Response) -> serde_json::Value {
    serde_json::from_slice(&to_bytes(answer.into_body(), 100_000).await.unwrap()).unwrap()
}

async fn a_realm_without_a_key_that_signs_is_unavailable_and_its_set_never_empty(bench: Bench) {
    let (node, realm) = (Node::of(&bench).await, realm(&["ES256"]));
    node.put(REALM, &realm).await;
    let answer = ask(&node, &realm, None).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(RETRY_AFTER));
    assert_eq!(node.authority.ring(REALM).await.unwrap_err(), Cause::Unavailable);
    node.turn().await;
    assert_eq!(json(ask(&node, &realm, None).await).await["keys"].as_array().unwrap().len(), 1);
    // However it came to this, nobody is told that there are no keys.
    for change in [
        |times: &mut KeyTimes| times.passive_since = Some(1),
        |times: &mut KeyTimes| times.retired_at = Some(2),
    ] {
        let mut key = node.keys(REALM).await.remove(0);
        change(&mut key.times);
        node.put(REALM, &key).await;
        assert_eq!(ask(&node, &realm, None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

async fn what_cannot_be_published_signs_nothing_and_costs_no_other_key(bench: Bench) {
    let (node, realm) = (Node::of(&bench).await, realm(&["ES256", "EdDSA"]));
    node.create(&realm).await;
    let keys = node.keys(REALM).await;
    let (mut bad, good) = match keys.as_slice() {
        [one, other] if one.algorithm == "ES256" => (one.clone(), other.clone()),
        [one, other] => (other.clone(), one.clone()),
        _ => panic!("{keys:?}"),
    };
    // Its public half is another's: whoever fetches it could verify nothing.
    bad.jwk["x"] = good.jwk["x"].clone();
    node.put(REALM, &bad).await;
    assert_eq!(node.published(REALM).await, std::slice::from_ref(&good.kid));
    assert_eq!(node.sign(REALM).await, good.kid);
    let ring = node.authority.ring(REALM).await.unwrap();
    assert_eq!(ring.sign("at+jwt", b"{}", Some("ES256")).await, Err(Cause::Unavailable));
    assert_eq!(ring.algorithms(), ["EdDSA"]);
}

async fn a_key_set_is_sent_again_when_it_changed_and_not_otherwise(bench: Bench) {
    let (node, realm) = (Node::of(&bench).await, realm(&["ES256"]));
    node.create(&realm).await;
    let first = ask(&node, &realm, None).await;
    assert_eq!(
        (first.status(), &first.headers()[CACHE_CONTROL]),
        (StatusCode::OK, &"public, max-age=300".parse().unwrap())
    );
    let etag = first.headers()[ETAG].clone();
    assert_eq!(ask(&node, &realm, Some(&etag)).await.status(), StatusCode::NOT_MODIFIED);
    node.clock.pass(1500);
    node.turn().await;
    let changed = ask(&node, &realm, Some(&etag)).await;
    assert_ne!(changed.headers()[ETAG], etag);
    let (set, private) = (json(changed).await, ["d", "p", "q", "dp", "dq", "qi", "k"]);
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| private.iter().all(|member| key.get(member).is_none())), "{set}");
    assert!(keys.iter().all(|key| key["alg"] == "ES256" && key["use"] == "sig"), "{set}");
}

async fn a_realm_says_what_its_tokens_may_be_signed_with(bench: Bench) {
    let (node, mut realm) = (Node::of(&bench).await, realm(&["ES256"]));
    node.create(&realm).await;
    let abilities = Abilities::served(ClientCertificates::Unseen, AlgorithmSet::asymmetric());
    let ask = async |realm: &Realm| {
        let answer =
            discovery(&node.authority, &abilities, &Arc::new(realm.clone()), &HeaderMap::new()).await;
        json(answer.unwrap()).await
    };
    let document = ask(&realm).await;
    assert_eq!(document["issuer"], "https://issuer.example/realms/main");
    assert_eq!(document["jwks_uri"], "https://issuer.example/realms/main/jwks");
    assert_eq!(document["id_token_signing_alg_values_supported"], serde_json::json!(["ES256"]));
    realm.rotation.algorithms = vec!["EdDSA".to_owned()];
    node.put(REALM, &realm).await;
    node.turn().await;
    let both = serde_json::json!(["ES256", "EdDSA"]);
    assert_eq!(ask(&realm).await["id_token_signing_alg_values_supported"], both);
    assert_eq!(node.kids(KeyState::Active).await.len(), 1);
}
