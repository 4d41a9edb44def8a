//! A1, at the issuer: one opaque answer stood for six causes, and a key that was there was not found.

use http::Method;
use keyward_jose::{Algorithm, LocalSigner};
use serde_json::json;

use super::nodes::{Key, Nodes, REALM, RESOURCE, token_of};
use super::steps::Steps;
use super::wire::{items, says, text};
use super::{AuthorityDrill, Which};
use crate::error::RunError;

pub(super) const DRILL: AuthorityDrill = AuthorityDrill {
    name: "authority-a1",
    title: "Every cause of a refused assertion has a name, and a new key works at once",
    about: "Service accounts ask for tokens by assertions that are refused, for each cause in turn. The client is told what \
            RFC 7523 says and nothing more, never a 500; the log and the metric name the cause. Then keys are added at one node \
            and used at another with the next request, twenty times: none is unknown (where there is one node, at the same).",
    incidents: &["A1"],
    phases: &["each-cause", "new-keys"],
    wants_two_nodes: false,
    which: Which::A1,
};

const NEW_KEYS: usize = 20;

/// What is sent, and what it has to be called.
struct Refused {
    cause: &'static str,
    key: Key,
    subject: &'static str,
    audience: String,
}

pub(super) async fn play(nodes: &Nodes, steps: &mut Steps<'_>) -> Result<(), RunError> {
    let Some((first, last)) = nodes.ends() else {
        return Ok(());
    };
    steps.next();
    let refused = refused(nodes).await?;
    for Refused { cause, key, subject, audience } in &refused {
        let label = format!("cause=\"{cause}\"");
        let counted = last.counted(&nodes.wire, "keyward_authority_refusals", &label).await;
        let logged = last.logged("token_refused", cause);
        let assertion = nodes.assertion(key.as_ref(), subject, audience).await.unwrap_or_default();
        let answer = nodes.exchange(last, &assertion, RESOURCE).await;
        let is_told = answer
            .as_ref()
            .is_some_and(|(status, body)| *status == 400 && says(body, "/error", "invalid_grant"));
        steps.expect(is_told, || {
            format!("{cause}: the client is told {answer:?}, not invalid_grant with a 400")
        });
        let told = answer.map(|(_, body)| body.to_string()).unwrap_or_default();
        steps.expect(!told.contains(cause), || format!("{cause}: the client is told the cause itself"));
        let after = last.counted(&nodes.wire, "keyward_authority_refusals", &label).await;
        steps.expect(after - counted == 1.0, || format!("{cause}: counted {counted}, then {after}"));
        let after = last.logged("token_refused", cause);
        steps.expect(after == logged + 1, || format!("{cause}: {logged} lines in the log, then {after}"));
    }
    steps.next();
    let mut known: Option<Key> = None;
    for round in 0..NEW_KEYS {
        // The realm's account is in the other node's memory, and what it knows of its keys is older than this one.
        if let Some(known) = &known {
            let answer = nodes.ask(last, known.as_ref(), "another", RESOURCE).await;
            steps.expect(token_of(&answer).is_some(), || format!("key {round}, again: {answer:?}"));
        }
        let (kid, key) = nodes.key(first, "service-accounts/another", "jwk", None).await?;
        let answer = nodes.ask(last, key.as_ref(), "another", RESOURCE).await;
        steps.expect(token_of(&answer).is_some(), || {
            format!(
                "key {round} is added at node {} and not known at node {}: {answer:?}",
                first.number, last.number
            )
        });
        if let Some(_old) = known.replace(key) {
            // An account has a bounded number of keys: the one before goes, and this one stays.
            remove_others(nodes, &kid).await?;
        }
    }
    Ok(())
}

async fn refused(nodes: &Nodes) -> Result<Vec<Refused>, RunError> {
    let Some((first, _)) = nodes.ends() else {
        return Ok(Vec::new());
    };
    let robot = "service-accounts/robot";
    let (_, unnamed) = nodes.key(first, robot, "pem", None).await?;
    let (_, of_client) = nodes.key(first, "clients/app", "jwk", None).await?;
    let (_, of_another) = nodes.key(first, "service-accounts/another", "jwk", None).await?;
    let (kid, disabled) = nodes.key(first, robot, "jwk", None).await?;
    let path = format!("realms/{REALM}/{robot}/keys/{kid}");
    let off = json!({ "enabled": false, "expires_at": null });
    nodes.demand_of(first, Method::PUT, &path, Some(&off)).await?;
    let (_, expired) = nodes.key(first, robot, "jwk", Some(nodes.now() - 60)).await?;
    let unknown = LocalSigner::generate(Algorithm::Es256, Some("nobody-knows-it"));
    let unknown = unknown.map_err(|error| nodes.failure(&format!("a key cannot be made: {error}")))?;
    let (_, good) = nodes.key(first, robot, "jwk", None).await?;
    let of = |cause, key, subject| Refused { cause, key, subject, audience: nodes.issuer() };
    Ok(vec![
        of("assertion_without_kid", unnamed, "robot"),
        of("assertion_key_unknown", Box::new(unknown), "robot"),
        of("assertion_key_of_another", of_another, "robot"),
        of("assertion_key_kind_not_allowed", of_client, "app"),
        of("assertion_key_disabled", disabled, "robot"),
        of("assertion_key_expired", expired, "robot"),
        Refused {
            audience: "https://elsewhere.example".to_owned(),
            ..of("assertion_audience_wrong", good, "robot")
        },
    ])
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
