//! Two nodes at once: with SQLite two of one store, with PostgreSQL two stores of one server.

use std::sync::Arc;
use std::time::Duration;

use keyward::clock::Clock as _;
use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, Identity, Kept, Realm, ResourceServer, ServiceAccount};
use keyward_authority::signing;
use keyward_authority::storage::{Action, Actor, Change};
use keyward_authority::view::Follower;
use serde_json::Value;
use tokio::time::Instant;

use super::office::{JWT_BEARER, Office, identity, said, signer};
use crate::bench::{Bench, conformance};

conformance! {
    of_two_uses_of_a_refresh_token_at_once_one_wins_and_the_family_ends
    at_most_one_refresh_token_of_a_family_is_good_whatever_is_tried_at_once
    two_nodes_that_meet_somebody_at_once_make_one_identity
    a_token_that_one_node_ends_is_ended_on_the_other
    what_a_node_remembers_of_a_token_is_so_within_a_second
    what_is_known_of_a_signature_keeps_no_token_good
    a_proof_is_used_once_on_all_nodes
    what_another_node_has_just_added_is_never_said_not_to_be_there
}

async fn nodes(bench: &Bench) -> [Arc<Office>; 2] {
    let first = Office::on(bench.open().await).await;
    let store = if bench.is_shared() { bench.open().await } else { first.store().clone() };
    let second = first.another(store);
    [Arc::new(first), Arc::new(second)]
}

async fn begun(office: &Office, jti: &str) -> String {
    let assertion = office.assertion(jti).await;
    let answer = office.ask_as("shop", &[("grant_type", JWT_BEARER), ("assertion", &assertion)]).await;
    answer.unwrap()["refresh_token"].as_str().unwrap().to_owned()
}

async fn refreshed(office: &Office, token: &str) -> Result<Value, Cause> {
    office.ask_as("shop", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// What comes of as many at once, on one node and the other in turn.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    nodes: &[Arc<Office>; 2],
    count: usize,
    task: impl Fn(Arc<Office>, usize) -> F,
) -> Vec<T> {
    let started: Vec<_> = nodes
        .iter()
        .cycle()
        .zip(0..count)
        .map(|(office, n)| tokio::spawn(task(Arc::clone(office), n)))
        .collect();
    let mut all = Vec::new();
    for task in started {
        all.push(task.await.unwrap());
    }
    all
}

async fn of_two_uses_of_a_refresh_token_at_once_one_wins_and_the_family_ends(bench: Bench) {
    let nodes = nodes(&bench).await;
    for round in 0..3 {
        let token = begun(&nodes[0], &format!("{round}")).await;
        let shared = token.clone();
        let came = at_once(&nodes, 4, move |office: Arc<Office>, _| {
            let token = shared.clone();
            async move { refreshed(&office, &token).await }
        })
        .await;
        let won: Vec<_> = came.iter().flatten().collect();
        assert_eq!(won.len(), 1, "{came:?}");
        let lost: Vec<_> = came.iter().filter_map(|came| came.as_ref().err()).collect();
        assert!(lost.contains(&&Cause::RefreshTokenReused), "{lost:?}");
        assert!(
            lost.iter().all(|cause| [Cause::RefreshTokenReused, Cause::RefreshTokenRevoked].contains(cause)),
            "{lost:?}"
        );
        let next = won[0]["refresh_token"].as_str().unwrap();
        assert_eq!(refreshed(&nodes[1], next).await, Err(Cause::RefreshTokenRevoked));
        assert!(!nodes[1].is_active(won[0]["access_token"].as_str().unwrap()).await);
    }
}

async fn at_most_one_refresh_token_of_a_family_is_good_whatever_is_tried_at_once(bench: Bench) {
    let nodes = nodes(&bench).await;
    nodes[0].change::<Client>("shop", |shop| shop.scopes.push("introspect".to_owned())).await;
    let mut known = vec![begun(&nodes[0], "1").await];
    for round in 0..8 {
        let shared = known.clone();
        let came = at_once(&nodes, 2, move |office: Arc<Office>, number| {
            // The last one on one node; one of all there were on the other, which may be the same.
            let token = shared[if number == 0 { shared.len() - 1 } else { shared.len() / 2 }].clone();
            async move { refreshed(&office, &token).await }
        })
        .await;
        known
            .extend(came.iter().flatten().map(|answer| answer["refresh_token"].as_str().unwrap().to_owned()));
        let mut good = 0;
        for token in &known {
            good += usize::from(nodes[1].introspect("shop", token).await.unwrap()["active"] == true);
        }
        assert!(good <= 1);
        if came.contains(&Err(Cause::RefreshTokenReused)) {
            for token in &known {
                refreshed(&nodes[0], token).await.unwrap_err();
            }
            known = vec![begun(&nodes[0], &format!("again-{round}")).await];
        }
    }
    assert_eq!(nodes[0].store().verify().await.unwrap(), vec![]);
}

async fn two_nodes_that_meet_somebody_at_once_make_one_identity(bench: Bench) {
    let nodes = nodes(&bench).await;
    nodes[0].change::<Realm>("main", |realm| realm.just_in_time = true).await;
    let token = nodes[0].idp.token_of("bob").await;
    let came = at_once(&nodes, 6, move |office: Arc<Office>, _| {
        let token = token.clone();
        async move {
            let shown = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("subject_token", token.as_str()),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ];
            office.ask_as("shop", &shown).await.unwrap()
        }
    })
    .await;
    let bob = nodes[1].kept::<Identity>("idp/bob").await.unwrap();
    for answer in came {
        assert_eq!(said(&answer["access_token"])["sub"], *bob.subject);
    }
    let events = nodes[0].store().events(keyward_authority::storage::Position(0), 500).await.unwrap();
    let made = events.iter().filter(|event| event.kind == Identity::KIND.0).count();
    assert_eq!(made, 1);
}

async fn a_token_that_one_node_ends_is_ended_on_the_other(bench: Bench) {
    let [one, other] = nodes(&bench).await;
    let shown = [("grant_type", "client_credentials")];
    let token = one.ask_as("shop", &shown).await.unwrap()["access_token"].as_str().unwrap().to_owned();
    assert!(other.is_active(&token).await);
    other.revoke("shop", &token).await.unwrap();
    assert!(!one.is_active(&token).await);
    let refresh = begun(&one, "1").await;
    other.revoke("shop", &refresh).await.unwrap();
    assert_eq!(refreshed(&one, &refresh).await, Err(Cause::RefreshTokenRevoked));
}

async fn what_a_node_remembers_of_a_token_is_so_within_a_second(bench: Bench) {
    let nodes = nodes(&bench).await;
    let _followers = [
        Follower::start(nodes[0].authority.view()).await.unwrap(),
        Follower::start(nodes[1].authority.view()).await.unwrap(),
    ];
    let ends_within_a_second = async |token: &str| {
        let ended = Instant::now();
        while nodes[0].is_active(token).await {
            assert!(ended.elapsed() < Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let text = |answer: &Value| answer["access_token"].as_str().unwrap().to_owned();
    let issue =
        async || text(&nodes[0].ask_as("shop", &[("grant_type", "client_credentials")]).await.unwrap());
    // Twice, so that it is remembered.
    let is_good = async |token: &str| nodes[0].is_active(token).await && nodes[0].is_active(token).await;
    let (revoked, stays) = (issue().await, issue().await);
    assert!(is_good(&revoked).await);
    nodes[1].revoke("shop", &revoked).await.unwrap();
    ends_within_a_second(&revoked).await;
    assert!(is_good(&stays).await);
    let robot = text(&nodes[0].robot("1", &[("resource", super::office::API)]).await.unwrap());
    assert!(is_good(&robot).await);
    nodes[1].change::<ServiceAccount>("robot", |robot| robot.enabled = false).await;
    ends_within_a_second(&robot).await;
    nodes[1].change::<ServiceAccount>("robot", |robot| robot.enabled = true).await;
    let family = with_refresh(&nodes[1], "3").await;
    assert!(is_good(&family[0]).await);
    nodes[1].revoke("shop", &family[1]).await.unwrap();
    ends_within_a_second(&family[0]).await;
    assert!(is_good(&stays).await);
    withdraw_key(&nodes[1]).await;
    ends_within_a_second(&stays).await;
    let by_next = issue().await;
    assert!(is_good(&by_next).await);
    nodes[1].change::<Client>("shop", |shop| shop.enabled = false).await;
    ends_within_a_second(&by_next).await;
}

/// An access token, and the refresh token that it goes with.
async fn with_refresh(office: &Office, jti: &str) -> [String; 2] {
    let assertion = office.assertion(jti).await;
    let answer =
        office.ask_as("shop", &[("grant_type", JWT_BEARER), ("assertion", &assertion)]).await.unwrap();
    ["access_token", "refresh_token"].map(|name| answer[name].as_str().unwrap().to_owned())
}

/// The one that signs: another takes its place.
async fn withdraw_key(office: &Office) {
    let ring = office.authority.ring("main").await.unwrap();
    let set: Value = serde_json::from_slice(ring.jwk_set()).unwrap();
    let (kid, actor) = (set["keys"][0]["kid"].as_str().unwrap(), Actor("test".to_owned()));
    signing::withdraw_compromised(&office.authority, actor, "main", kid).await.unwrap();
}

async fn what_is_known_of_a_signature_keeps_no_token_good(bench: Bench) {
    let [one, other] = nodes(&bench).await;
    // Often enough that both nodes know its signature.
    let is_good = async |token: &str| {
        one.is_active(token).await && other.is_active(token).await && one.is_active(token).await
    };
    let is_over = async |token: &str| !one.is_active(token).await && !other.is_active(token).await;
    let issue = async || with_refresh(&one, &one.clock.now().mono.0.to_string()).await;
    let issue_next = async || {
        one.clock.advance(1);
        issue().await
    };

    let [revoked, _] = issue_next().await;
    assert!(is_good(&revoked).await);
    other.revoke("shop", &revoked).await.unwrap();
    assert!(is_over(&revoked).await, "it is revoked");

    let [of_family, refresh] = issue_next().await;
    assert!(is_good(&of_family).await);
    other.revoke("shop", &refresh).await.unwrap();
    assert!(is_over(&of_family).await, "its family is revoked");

    let [token, _] = issue_next().await;
    let mut parts: Vec<_> = token.split('.').collect();
    let last = parts.pop().unwrap();
    let cut = format!("{}.{}A", parts.join("."), &last[..last.len() - 1]);
    assert!(
        is_good(&token).await && (cut == token || is_over(&cut).await),
        "another signature is another token"
    );
    for (kind, id) in [("account", "robot"), ("client", "shop")] {
        let set = async |enabled: bool| match kind {
            "account" => other.change::<ServiceAccount>(id, |account| account.enabled = enabled).await,
            _ => other.change::<Client>(id, |client| client.enabled = enabled).await,
        };
        set(false).await;
        assert!(is_over(&token).await, "the {kind} is disabled");
        set(true).await;
        assert!(is_good(&token).await, "the {kind} is let in again");
    }
    other.change::<ResourceServer>(super::office::API, |api| api.introspected_by = None).await;
    let by_checker = one.introspect("checker", &token).await.unwrap();
    assert_eq!(by_checker["active"], false, "who may ask is asked each time");
    assert!(is_good(&token).await);

    withdraw_key(&other).await;
    assert!(is_over(&token).await, "its key is withdrawn");
    let [by_next, _] = issue_next().await;
    assert!(is_good(&by_next).await);
    one.clock.advance(86_400);
    assert!(is_over(&by_next).await, "it has expired");
}

async fn a_proof_is_used_once_on_all_nodes(bench: Bench) {
    let nodes = nodes(&bench).await;
    let assertion = nodes[0].assertion("1").await;
    let came = at_once(&nodes, 4, move |office: Arc<Office>, _| {
        let assertion = assertion.clone();
        async move {
            let shown = [
                ("grant_type", JWT_BEARER),
                ("assertion", assertion.as_str()),
                ("resource", super::office::API),
            ];
            office.ask(&shown).await.map(drop)
        }
    })
    .await;
    assert_eq!(came.iter().filter(|came| came.is_ok()).count(), 1, "{came:?}");
    assert!(came.iter().all(|came| matches!(came, Ok(()) | Err(Cause::AssertionReplayed))), "{came:?}");
}

async fn what_another_node_has_just_added_is_never_said_not_to_be_there(bench: Bench) {
    let [one, other] = nodes(&bench).await;
    // It hears of nothing any more, and by the clock of the test it is up to date.
    let follower = Follower::start(other.authority.view()).await.unwrap();
    while !other.authority.view().is_current() {
        tokio::task::yield_now().await;
    }
    drop(follower);
    one.put(&identity("alice")).await;
    let alice = one.idp.token_of("alice").await;
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", alice.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    let mut command = one.store().command(Actor("test".to_owned()), 0).await.unwrap();
    let idp = signer().entity("main");
    command.append(&Change { action: Action("deleted"), entity: idp, body: None }).await.unwrap();
    command.commit().await.unwrap();
    assert_eq!(other.ask_as("shop", &exchange).await, Err(Cause::SubjectTokenRefused));
    one.put(&signer()).await;
    assert!(other.ask_as("shop", &exchange).await.is_ok(), "an external signer");

    let about = one.ask_as("shop", &[("grant_type", "client_credentials")]).await.unwrap();
    let about = about["access_token"].as_str().unwrap();
    assert_eq!(other.introspect("shop", about).await, Err(Cause::IntrospectionNotAllowed));
    let mut new = one.kept::<ResourceServer>(super::office::API).await.unwrap();
    (new.audience, new.introspected_by) = ("https://new.example".to_owned(), Some("shop".to_owned()));
    one.put(&new).await;
    one.change::<Client>("wide", |wide| wide.audiences = vec![new.audience.clone()]).await;
    let wide = one.ask_as("wide", &[("grant_type", "client_credentials"), ("scope", "read")]).await.unwrap();
    let said = other.introspect("shop", wide["access_token"].as_str().unwrap()).await.unwrap();
    assert_eq!(said["active"], true, "a resource server");

    let ring = one.authority.ring("main").await.unwrap();
    let set: Value = serde_json::from_slice(ring.jwk_set()).unwrap();
    let (kid, actor) = (set["keys"][0]["kid"].as_str().unwrap(), Actor("test".to_owned()));
    signing::withdraw_compromised(&one.authority, actor, "main", kid).await.unwrap();
    let by_new = one.ask_as("shop", &[("grant_type", "client_credentials")]).await.unwrap();
    assert!(other.is_active(by_new["access_token"].as_str().unwrap()).await, "a signing key");
}
