//! `POST /cache/forget`: what was revoked is refused at once, and what was sent is repeated nowhere.

use serde_json::{Value, json};

use crate::logs::Lines;
use crate::provider::Provider;
use crate::support::{Folder, KEY, Raw, Running, claims, config, sign, with};

async fn start(provider: &Provider) -> (Folder, Running) {
    let folder = Folder::new();
    folder.write_secret("client-secret", "secret");
    let text = config(&format!("strategy = \"both\"\n{}", provider.tables("active_for = \"5m\"")));
    let running = folder.start(&text).await;
    (folder, running)
}

async fn forget(running: &Running, form: &[(&str, &str)]) -> Value {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = running.client.post(format!("http://{}/cache/forget", running.admin));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn what_was_taken_back_is_refused_at_once() {
    let provider = Provider::start().await;
    let (_folder, running) = start(&provider).await;
    let token = |name: &str| sign(&KEY, &with(claims(), "jti", name));
    let said = |jti: &str, sub: &str, sid: &str| json!({ "jti": jti, "sub": sub, "sid": sid });
    let tokens = ["a", "b", "c", "d", "e"].map(token);
    let known = [
        said("a", "alice", "s1"),
        said("b", "bob & co=\u{e9}", "s2"),
        said("c", "carol", "s3"),
        said("d", "carol", "s4"),
        said("e", "eve", "s5"),
    ];
    for (token, said) in tokens.iter().zip(known) {
        provider.knows(token, said);
        assert_eq!(running.ask_with(token).await.status, 200);
        provider.revokes(token);
        // Nobody has noticed yet.
        assert_eq!(running.ask_with(token).await.status, 200);
    }
    let reasons = async || {
        let mut reasons = Vec::new();
        for token in &tokens {
            reasons.push(running.ask_with(token).await.status);
        }
        reasons
    };
    assert_eq!(forget(&running, &[("jti", "unknown")]).await, json!({ "forgotten": 0 }));
    assert_eq!(reasons().await, [200; 5]);
    assert_eq!(forget(&running, &[("token", &tokens[0])]).await, json!({ "forgotten": 1 }));
    assert_eq!(reasons().await, [401, 200, 200, 200, 200]);
    assert_eq!(forget(&running, &[("sub", "bob & co=\u{e9}")]).await, json!({ "forgotten": 1 }));
    assert_eq!(reasons().await, [401, 401, 200, 200, 200]);
    assert_eq!(
        forget(&running, &[("sub", "carol"), ("sid", "s5"), ("jti", "x")]).await,
        json!({ "forgotten": 3 })
    );
    assert_eq!(reasons().await, [401; 5]);
    // What is not active is forgotten as well.
    provider.knows(&tokens[0], json!({}));
    assert_eq!(running.ask_with(&tokens[0]).await.status, 401);
    assert_eq!(forget(&running, &[("token", &tokens[0])]).await, json!({ "forgotten": 1 }));
    assert_eq!(running.ask_with(&tokens[0]).await.status, 200);
}

#[tokio::test]
async fn what_names_nothing_forgets_nothing_and_is_told() {
    let lines = Lines::capture();
    let provider = Provider::start().await;
    let (_folder, running) = start(&provider).await;
    const FORM: &str = "application/x-www-form-urlencoded";
    let large = format!("token={}", "planted".repeat(10_000));
    let many = "jti=planted&".repeat(257);
    for (method, kind, body, status, says) in [
        ("POST", FORM, "", 400, "nothing is named: send token, jti, sub or sid"),
        ("POST", FORM, "token=", 400, "empty"),
        ("POST", FORM, "jti=planted&user=planted", 400, "a field besides token, jti, sub and sid"),
        ("POST", FORM, &large, 413, "over 65536 octets"),
        ("POST", FORM, &many, 400, "more than 256"),
        ("POST", "application/json", "{\"jti\": \"planted\"}", 415, "application/x-www-form-urlencoded"),
        ("POST", "", "jti=planted", 415, "application/x-www-form-urlencoded"),
        ("POST", "APPLICATION/X-WWW-Form-Urlencoded; charset=utf-8", "jti=planted", 200, "\"forgotten\": 0"),
        ("GET", FORM, "jti=planted", 405, "only POST"),
        ("PUT", FORM, "jti=planted", 405, "only POST"),
        ("DELETE", FORM, "", 405, "only POST"),
    ] {
        let mut raw = Raw::connect(running.admin).await;
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let length = body.len();
        let head =
            format!("{method} /cache/forget HTTP/1.1\r\nHost: a\r\n{kind}Content-Length: {length}\r\n\r\n");
        raw.send(format!("{head}{body}")).await;
        let (got, head, answer) = raw.answer().await.unwrap();
        assert_eq!(got, status, "{method} {kind} {answer}");
        assert!(answer.contains(says) && !answer.contains("planted"), "{method} {kind} {answer}");
        assert_eq!(head.contains("\nallow: post"), status == 405, "{head}");
    }
    let told = lines.of("introspection_cache_forgotten");
    assert_eq!((told.len(), &told[0]["named"], &told[0]["forgotten"]), (1, &json!(1), &json!(0)));
    assert!(!lines.text().contains("planted"), "{}", lines.text());
}
