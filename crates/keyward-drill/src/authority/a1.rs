//! A1, at the issuer: one opaque answer stood for six causes, and a key that was there was not found.

use http::Method;
use keyward_jose::{Algorithm, LocalSigner};
use serde_json::{Value, json};

use super::node::Node;
use super::nodes::{Key, Nodes, REALM, RESOURCE, token_of};
use super::steps::Steps;
use super::wire::{items, says, text};
use super::{AuthorityDrill, Which};
use crate::error::RunError;

pub(super) const DRILL: AuthorityDrill = AuthorityDrill {
    name: "authority-a1",
    title: "Every cause of a refused assertion has a name, and a new key works at once",
    about: "Service accounts ask for tokens by assertions that are refused, for each cause in turn. The client is told what \
            RFC 7523 says and nothing more, never a 500; the log and the metric name the cause, and no other. Then a key of a \
            client, which the jwt-bearer grant refuses, introspects as it is to be used, by private_key_jwt; and keys are added \
            at one node and used at another with the next request, twenty times, each for a token that introspects there: none \
            is unknown (where there is one node, at the same). That a verifier falls back without a word is the gateway's side \
            of it, which the drills of introspection tell.",
    incidents: &["A1"],
    phases: &["each-cause", "key-of-a-client", "new-keys"],
    wants_two_nodes: false,
    which: Which::A1,
};

const NEW_KEYS: usize = 20;

/// What is sent, and what it has to be called.
struct Refused {
    cause: &'static str,
    assertion: String,
}

pub(super) async fn play(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let Some((first, last)) = nodes.ends() else {
        return Ok(());
    };
    steps.next();
    for Refused { cause, assertion } in &refused(nodes).await? {
        expect_refused(nodes, last, steps, cause, assertion).await;
    }
    steps.next();
    let (_, key) = nodes.key(first, "clients/app", "jwk", None).await?;
    let assertion = nodes.assertion(key.as_ref(), "app", &nodes.issuer()).await.unwrap_or_default();
    expect_refused(nodes, last, steps, "assertion_key_kind_not_allowed", &assertion).await;
    let (_, robot) = nodes.key(first, "service-accounts/robot", "jwk", None).await?;
    let answer = nodes.ask(last, robot.as_ref(), "robot", RESOURCE).await;
    let token = token_of(&answer).unwrap_or_default();
    let answer = nodes.introspect_as(last, key.as_ref(), "app", token).await;
    let is_active =
        answer.as_ref().is_some_and(|(_, body)| body.pointer("/active") == Some(&Value::Bool(true)));
    steps.expect(is_active, || format!("introspection with a client's key as client_assertion: {answer:?}"));
    steps.next();
    let mut known: Option<Key> = None;
    for round in 0..NEW_KEYS {
        // The realm's account is in the other node's memory, and what it knows of its keys is older than this one.
        if let Some(known) = &known {
            let answer = nodes.ask(last, known.as_ref(), "another", RESOURCE).await;
            steps.expect(token_of(&answer).is_some(), || format!("key {round}, again: {answer:?}"));
        }
        let (kid, key) = nodes.key(first, "service-accounts/another", "jwk", None).await?;
        let answer = nodes.ask(last, key.as_ref(), "another", &nodes.issuer()).await;
        steps.expect(token_of(&answer).is_some(), || {
            format!(
                "key {round} is added at node {} and not known at node {}: {answer:?}",
                first.number, last.number
            )
        });
        // As the server of the incident does: it asks about its users' tokens with the token that it has just got.
        let bearer = token_of(&answer).unwrap_or_default();
        let is_active = nodes.is_active(last, bearer, bearer).await;
        steps.expect(is_active, || {
            format!("the token of key {round} does not introspect at node {}", last.number)
        });
        if let Some(_old) = known.replace(key) {
            // An account has a bounded number of keys: the one before goes, and this one stays.
            remove_others(nodes, &kid).await?;
        }
    }
    Ok(())
}

/// The client is told that it is refused and no more; log and metric say why, once, and nothing else.
async fn expect_refused(nodes: &Nodes, node: &Node, steps: &mut Steps<'_>, cause: &str, assertion: &str) {
    let (counted, logged) = (node.refusals_counted(&nodes.wire).await, node.refusals_logged().len());
    let answer = nodes.exchange(node, assertion, RESOURCE).await;
    let is_told =
        answer.as_ref().is_some_and(|(status, body)| *status == 400 && says(body, "/error", "invalid_grant"));
    steps.expect(is_told, || format!("{cause}: the client is told {answer:?}, not invalid_grant with a 400"));
    let told = answer.map(|(_, body)| body.to_string()).unwrap_or_default();
    steps.expect(!told.contains(cause), || format!("{cause}: the client is told the cause itself"));
    let mut more = node.refusals_counted(&nodes.wire).await;
    more.retain(|cause, count| {
        *count -= counted.get(cause).copied().unwrap_or(0.0);
        *count > 0.0
    });
    let is_counted = more.len() == 1 && more.get(cause) == Some(&1.0);
    steps.expect(is_counted, || format!("{cause}: counted is {more:?}"));
    let lines = node.refusals_logged();
    let lines = lines.get(logged..).unwrap_or_default();
    steps.expect(matches!(lines, [one] if one == cause), || format!("{cause}: the log says {lines:?}"));
}

async fn refused(nodes: &Nodes) -> Result<Vec<Refused>, RunError> {
    let Some((first, _)) = nodes.ends() else {
        return Ok(Vec::new());
    };
    let (robot, issuer) = ("service-accounts/robot", nodes.issuer());
    let (_, unnamed) = nodes.key(first, robot, "pem", None).await?;
    let (_, of_client) = nodes.key(first, "clients/app", "jwk", None).await?;
    let (_, of_another) = nodes.key(first, "service-accounts/another", "jwk", None).await?;
    let (kid, disabled) = nodes.key(first, robot, "jwk", None).await?;
    let path = format!("realms/{REALM}/{robot}/keys/{kid}");
    let off = json!({ "enabled": false, "expires_at": null });
    nodes.demand_of(first, Method::PUT, &path, Some(&off)).await?;
    let (_, expired) = nodes.key(first, robot, "jwk", Some(nodes.now() - 60)).await?;
    let (kid, good) = nodes.key(first, robot, "jwk", None).await?;
    let (unknown, forged) = (made(nodes, "nobody-knows-it")?, made(nodes, &kid)?);
    let used = nodes.assertion(good.as_ref(), "robot", &issuer).await.unwrap_or_default();
    nodes.exchange(first, &used, RESOURCE).await;
    let mut refused = vec![Refused { cause: "assertion_replayed", assertion: used }];
    for (cause, key, subject) in [
        ("assertion_without_kid", &unnamed, "robot"),
        ("assertion_key_unknown", &unknown, "robot"),
        ("assertion_key_of_another", &of_another, "robot"),
        ("assertion_key_kind_not_allowed", &of_client, "app"),
        ("assertion_key_disabled", &disabled, "robot"),
        ("assertion_key_expired", &expired, "robot"),
        ("assertion_signature_wrong", &forged, "robot"),
    ] {
        let assertion = nodes.assertion(key.as_ref(), subject, &issuer).await.unwrap_or_default();
        refused.push(Refused { cause, assertion });
    }
    for (cause, member, value) in [
        ("assertion_audience_wrong", "aud", json!("https://elsewhere.example")),
        ("assertion_expired", "exp", json!(nodes.now() - 120)),
        ("assertion_issuer_wrong", "iss", json!("another")),
    ] {
        let mut claims = nodes.claims("robot", &issuer);
        if let Some(claims) = claims.as_object_mut() {
            claims.insert(member.to_owned(), value);
        }
        let assertion = nodes.signed(good.as_ref(), &claims).await.unwrap_or_default();
        refused.push(Refused { cause, assertion });
    }
    Ok(refused)
}

/// A key that nobody knows, whatever it is called.
fn made(nodes: &Nodes, kid: &str) -> Result<Key, RunError> {
    let key = LocalSigner::generate(Algorithm::Es256, Some(kid));
    Ok(Box::new(key.map_err(|error| nodes.failure(&format!("a key cannot be made: {error}")))?))
}

/// Deletes all keys of the account but one.
async fn remove_others(nodes: &Nodes, kid: &str) -> Result<(), RunError> {
    let Some((first, _)) = nodes.ends() else {
        return Ok(());
    };
    let path = format!("realms/{REALM}/service-accounts/another/keys");
    let page = nodes.demand_of(first, Method::GET, &path, None).await?;
    for other in items(&page).filter_map(|key| text(key, "/kid")).filter(|other| *other != kid) {
        nodes.demand_of(first, Method::DELETE, &format!("{path}/{other}"), None).await?;
    }
    Ok(())
}
