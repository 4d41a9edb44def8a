//! Who may what: each route, by each sort of token.

use axum::body::Body;
use http::{Method, Request};
use keyward_authority::entity::{Kept, RevokedToken};
use keyward_authority::http::Peer;
use keyward_authority::storage::{Action, Change};
use serde_json::json;

use super::api::Api;
use super::document::operations;
use crate::bench::{Bench, conformance};
use crate::operations::node::{NOW, actor};

conformance! {
    each_route_is_closed_to_whoever_has_no_token_that_is_good_for_it
    a_scope_that_its_subject_has_lost_is_worth_nothing
    what_the_log_says_of_a_change_is_who_made_it
    who_shows_bad_tokens_too_often_is_refused_and_a_token_that_was_good_is_taken
}

/// What a token comes to at a route that reads, at one that writes, and at those of all realms.
async fn comes_to(api: &Api, token: Option<&str>, read: u16, write: u16) {
    for (method, template, path) in operations() {
        if template == "/openapi.json" {
            continue;
        }
        let expected = if method == Method::GET { read } else { write };
        let answer = api.send(method.clone(), &path, token, None, None).await;
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
        let challenge = answer.headers.get("WWW-Authenticate").map(|it| it.to_str().unwrap());
        match expected {
            401 if token.is_none() => assert_eq!(challenge, Some("Bearer")),
            401 => assert_eq!(challenge, Some("Bearer error=\"invalid_token\"")),
            _ => assert_eq!(challenge, Some("Bearer error=\"insufficient_scope\"")),
        }
    }
}

/// As many as may do something are let in, wherever they go: what comes then is none of these.
async fn lets_in(api: &Api, token: &str, methods: &[Method], except: &[&str]) {
    for (method, template, path) in operations() {
        if template == "/openapi.json" || !methods.contains(&method) {
            continue;
        }
        let answer = api.send(method.clone(), &path, Some(token), None, None).await;
        let is_let_in = !matches!(answer.status, 401 | 403);
        let is_all_realms = except.contains(&template.as_str())
            && (template != "/realms/{realm}" || method == Method::DELETE);
        assert_eq!(is_let_in, !is_all_realms, "{method} {path}: {answer:?}");
    }
}

async fn each_route_is_closed_to_whoever_has_no_token_that_is_good_for_it(bench: Bench) {
    let api = Api::of(&bench).await;
    let write = "authority.write";
    comes_to(&api, None, 401, 401).await;
    let with = async |claims| api.token_with(write, claims).await;
    let refused = [
        ("no token at all", "nonsense".to_owned()),
        ("another audience", with(json!({"aud": "https://api.example/v1"})).await),
        ("another issuer", with(json!({"iss": "https://id.example/realms/main"})).await),
        ("over", with(json!({"exp": NOW})).await),
        ("a subject that is not there", with(json!({"sub": "nobody"})).await),
        ("a client that is not there", with(json!({"client_id": "nobody"})).await),
        ("of another sort of subject", with(json!({"subject_type": "identity"})).await),
        ("bound to a key that nobody proves", with(json!({"cnf": {"jkt": "x"}})).await),
        ("no expiry", with(json!({"exp": null})).await),
        ("of another type", api.token_of("admin", "JWT", write, json!({})).await),
        ("signed by another realm", api.token_of("main", "at+jwt", write, json!({})).await),
    ];
    for (what, token) in &refused {
        let answer = api.send(Method::GET, "/realms", Some(token), None, None).await;
        assert_eq!(answer.status, 401, "{what}");
    }
    comes_to(&api, Some(&refused[1].1), 401, 401).await;
    comes_to(&api, Some(&api.token("").await), 403, 403).await;
    comes_to(&api, Some(&api.token("authority.write:other").await), 403, 403).await;

    let all = [Method::GET, Method::POST, Method::PUT, Method::DELETE];
    let reader = api.token("authority.read").await;
    lets_in(&api, &reader, &all[..1], &[]).await;
    let clerk = api.token("authority.read:main").await;
    lets_in(&api, &clerk, &all[..1], &["/realms"]).await;
    for token in [&reader, &clerk] {
        for method in &all[1..] {
            for (described, _, path) in operations().iter().filter(|(described, ..)| described == method) {
                let answer = api.send(described.clone(), path, Some(token), None, None).await;
                assert_eq!(answer.status, 403, "{described} {path}");
            }
        }
    }
    let clerk = api.token("authority.write:main").await;
    lets_in(&api, &clerk, &all[1..], &["/realms", "/realms/{realm}"]).await;

    let root = api.token(write).await;
    api.disable("root").await;
    comes_to(&api, Some(&root), 401, 401).await;
}

async fn a_scope_that_its_subject_has_lost_is_worth_nothing(bench: Bench) {
    let api = Api::of(&bench).await;
    let token = api.token("authority.write no.such.scope").await;
    let ask = async || api.send(Method::GET, "/realms/main", Some(&token), None, None).await.status;
    assert_eq!(ask().await, 200);
    let path = "/realms/admin/service-accounts/root";
    let mut root = api.send(Method::GET, path, Some(&token), None, None).await;
    root.json["scopes"] = json!(["no.such.scope"]);
    let changed = api.send(Method::PUT, path, Some(&token), root.tag.as_deref(), Some(root.json)).await;
    assert_eq!(changed.status, 200);
    assert_eq!(ask().await, 403);

    let clerk = json!({"sub": "clerk", "client_id": "clerk", "jti": "abc"});
    let token = api.token_with("authority.write", clerk).await;
    let ask = async || api.send(Method::GET, "/realms", Some(&token), None, None).await.status;
    assert_eq!(ask().await, 200);
    let revoked = RevokedToken { jti: "abc".to_owned(), expires_at: NOW + 60 };
    let mut command = api.node.store().command(actor(), 0).await.unwrap();
    let body = Some(serde_json::to_string(&revoked).unwrap());
    let change = Change { action: Action("revoked_token.created"), entity: revoked.entity("admin"), body };
    command.append(&change).await.unwrap();
    command.commit().await.unwrap();
    assert_eq!(ask().await, 401);
}

async fn what_the_log_says_of_a_change_is_who_made_it(bench: Bench) {
    let api = Api::of(&bench).await;
    let clerk = json!({"sub": "clerk", "client_id": "clerk"});
    let token = api.token_with("authority.write:main", clerk).await;
    let body = json!({"id": "robot", "enabled": true});
    let made = api.send(Method::POST, "/realms/main/service-accounts", Some(&token), None, Some(body)).await;
    assert_eq!(made.status, 201);
    let events = api.send(Method::GET, "/realms/main/events?limit=500", Some(&token), None, None).await;
    let last = events.json["items"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["actor"], &last["action"], &last["id"], &last["entity"]["enabled"]),
        (&json!("clerk"), &json!("service_account.created"), &json!("robot"), &json!(true))
    );
    assert_eq!(last["at_ms"], NOW * 1000);
}

async fn who_shows_bad_tokens_too_often_is_refused_and_a_token_that_was_good_is_taken(bench: Bench) {
    let api = Api::of(&bench).await;
    let ask = async |token: &str, from: u8| {
        let request = Request::builder().uri("/realms").header("Authorization", format!("Bearer {token}"));
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer::plain([192, 0, 2, from].into()));
        api.call(request).await
    };
    for _ in 0..11 {
        assert_eq!(ask("nonsense", 1).await.status, 401);
    }
    let refused = ask("nonsense", 1).await;
    assert_eq!((refused.status, refused.problem()), (429, "rate_limited"));
    assert_eq!(refused.headers["Retry-After"], "10");
    let (known, new) = (api.token("authority.read").await, api.token("authority.write").await);
    assert_eq!(ask(&known, 1).await.status, 200, "another token of the same address");
    for number in 0..90 {
        assert_eq!(ask(&format!("nonsense-{number}"), 1).await.status, 401);
    }
    assert_eq!(ask(&new, 1).await.status, 429, "one token after the other");
    assert_eq!(ask(&known, 1).await.status, 200);
    assert_eq!(ask(&new, 2).await.status, 200, "from elsewhere");
    api.disable("root").await;
    assert_eq!(ask(&known, 1).await.status, 401);
    assert_eq!(ask(&known, 1).await.status, 429, "it is not good any more");
}
