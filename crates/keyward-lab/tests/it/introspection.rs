//! What introspection says of tokens: opaque ones, those taken back, and what is not so.

use keyward_lab::fault::Endpoint;
use keyward_lab::plan::IssuerPlan;
use keyward_lab::{CommandError, Lab};
use serde_json::{Value, json};

use crate::support::{client, fetch, good, jwks_uri, lab, lab_with, mend, obey, verified};

const SIGNED: &str = "application/token-introspection+jwt";

fn token(lab: &Lab, plan: &str) -> String {
    lab.token(None, &serde_json::from_str(plan).unwrap()).unwrap()
}

/// The type and the text of the answer.
async fn answer(lab: &Lab, token: &str, accept: &str) -> (String, String) {
    let endpoint = lab.issuer("main").unwrap().introspection_endpoint;
    let request = client().post(endpoint).basic_auth("drill", Some("drill")).header("accept", accept);
    let answer = request.form(&[("token", token)]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    (answer.headers()["content-type"].to_str().unwrap().to_owned(), answer.text().await.unwrap())
}

async fn introspect(lab: &Lab, token: &str) -> Value {
    serde_json::from_str(&answer(lab, token, "application/json").await.1).unwrap()
}

async fn active(lab: &Lab, token: &str) -> bool {
    introspect(lab, token).await["active"].as_bool().unwrap()
}

#[tokio::test]
async fn an_opaque_token_is_as_it_is_planned() {
    let lab = lab().await;
    let plan = r#"{"opaque": true, "lifetime": "10s", "issued_ago": "3s", "audience": "orders",
        "claims": {"scope": "\"a b\"", "sub": "\"alice\""}, "octets": 5000}"#;
    let opaque = token(&lab, plan);
    assert_eq!((opaque.len(), opaque.contains('.')), (5000, false));
    let told = introspect(&lab, &opaque).await;
    assert_eq!((&told["active"], &told["aud"]), (&true.into(), &"orders".into()));
    assert_eq!((&told["scope"], &told["sub"]), (&"a b".into(), &"alice".into()));
    assert_eq!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(), 10);
    assert!(!active(&lab, &token(&lab, r#"{"opaque": true, "issued_ago": "1h"}"#)).await);
    assert!(!active(&lab, &token(&lab, r#"{"opaque": true, "signature": "random"}"#)).await, "unknown");
}

#[tokio::test]
async fn tokens_are_taken_back_by_what_they_are() {
    for opaque in ["false", "true"] {
        let lab = lab().await;
        let planned = |rest: &str| token(&lab, &format!(r#"{{"opaque": {opaque}{rest}}}"#));
        let marked = planned(r#", "mark": "stolen: one""#);
        let other_mark = planned(r#", "mark": "stolen""#);
        let alice = planned(r#", "claims": {"sub": "\"alice\""}"#);
        let named = planned(r#", "claims": {"jti": "\"x\""}"#);
        let plain = planned("");
        obey(&lab, r#"{"revoke": {"mark": "stolen: one"}}"#).await;
        assert!(!active(&lab, &marked).await);
        assert!(active(&lab, &other_mark).await);
        assert!(active(&lab, &planned(r#", "mark": "stolen: one""#)).await, "issued later");
        obey(&lab, r#"{"revoke": {"sub": "alice"}}"#).await;
        assert!(!active(&lab, &alice).await);
        assert!(active(&lab, &plain).await && active(&lab, &named).await);
        obey(&lab, r#"{"revoke": {"jti": "x"}}"#).await;
        assert!(!active(&lab, &named).await);
        let jti = introspect(&lab, &plain).await["jti"].to_string();
        obey(&lab, &format!(r#"{{"revoke": {{"jti": {jti}}}}}"#)).await;
        assert!(!active(&lab, &plain).await);
        obey(&lab, r#"{"revoke": "bearers"}"#).await;
        assert!(active(&lab, &other_mark).await, "a plan's token is no bearer of a client");
        obey(&lab, r#"{"revoke": "all"}"#).await;
        assert!(!active(&lab, &other_mark).await);
        assert!(active(&lab, &planned("")).await, "what is issued in the same moment, and after it");
        if opaque == "false" {
            let set = fetch(&jwks_uri(&lab)).await.unwrap().json();
            assert!(verified(&set, &marked).is_some(), "its signature stays good");
        }
    }
}

#[tokio::test]
async fn a_client_revokes_its_own_tokens() {
    let lab = lab_with(toml::from_str("client.other.secret = \"other\"").unwrap()).await;
    let endpoint = lab.issuer("main").unwrap().revocation_endpoint;
    let revoke = async |id: &str, token: &str| {
        let request = client().post(&endpoint).basic_auth(id, Some(id)).form(&[("token", token)]);
        request.send().await.unwrap().status().as_u16()
    };
    for token in [good(&lab), token(&lab, r#"{"opaque": true}"#)] {
        assert_eq!(revoke("other", &token).await, 400);
        assert_eq!(revoke("nobody", &token).await, 401);
        assert!(active(&lab, &token).await);
        assert_eq!((revoke("drill", &token).await, revoke("drill", &token).await), (200, 200));
        assert!(!active(&lab, &token).await);
    }
    assert_eq!(revoke("drill", "unknown").await, 200);
}

#[tokio::test]
async fn active_is_not_what_it_should_be() {
    let lab = lab().await;
    let fail = async |active_as: &str| {
        obey(&lab, &format!(r#"{{"fault": {{"introspection": {{"active_as": "{active_as}"}}}}}}"#)).await;
    };
    for (active_as, for_active, for_inactive) in [
        ("string", json!("true"), json!("false")),
        ("number", json!(1), json!(0)),
        ("absent", Value::Null, Value::Null),
    ] {
        fail(active_as).await;
        assert_eq!(introspect(&lab, &good(&lab)).await["active"], for_active);
        assert_eq!(introspect(&lab, "x").await["active"], for_inactive);
    }
    fail("array").await;
    assert_eq!(introspect(&lab, &good(&lab)).await[0]["active"], true);
    fail("duplicate").await;
    let (_, text) = answer(&lab, "x", "*/*").await;
    assert_eq!(text, r#"{"active":true,"active":false}"#);
    let (_, text) = answer(&lab, &good(&lab), "*/*").await;
    assert!(text.starts_with(r#"{"active":false,"#) && text.matches("\"active\":true").count() == 1);
    mend(&lab, Endpoint::Introspection).await;
    assert!(active(&lab, &good(&lab)).await);
    for endpoint in ["all", "jwks", "token"] {
        let command = format!(r#"{{"fault": {{"{endpoint}": {{"says": "expired"}}}}}}"#);
        let refused = lab.obey(&serde_json::from_str(&command).unwrap()).await;
        assert!(matches!(refused, Err(CommandError::OfIntrospection)));
    }
}

#[tokio::test]
async fn an_active_answer_says_what_is_not_so() {
    let lab = lab().await;
    let told = introspect(&lab, &good(&lab)).await;
    assert_eq!(told["token_type"], "Bearer");
    for (says, member) in [
        ("other_issuer", "iss"),
        ("other_audience", "aud"),
        ("expired", "exp"),
        ("refresh_token", "token_type"),
    ] {
        obey(&lab, &format!(r#"{{"fault": {{"introspection": {{"says": "{says}"}}}}}}"#)).await;
        let wrong = introspect(&lab, &good(&lab)).await;
        assert_eq!(wrong["active"], true);
        assert_ne!(wrong[member], told[member]);
        let expired = wrong["exp"].as_i64() < wrong["iat"].as_i64();
        assert_eq!(expired, says == "expired");
        assert_eq!(introspect(&lab, "x").await, json!({ "active": false }));
    }
}

/// Header and payload of a JWT.
fn opened(jwt: &str) -> (Value, Value) {
    let mut parts = jwt.split('.').map(|part| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap());
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

#[tokio::test]
async fn answers_are_signed_for_who_asks_for_it() {
    let lab = lab().await;
    let set = fetch(&jwks_uri(&lab)).await.unwrap().json();
    let accept = format!("{SIGNED}, application/json;q=0.5");
    let (content_type, jwt) = answer(&lab, &good(&lab), &accept).await;
    assert_eq!(content_type, SIGNED);
    let claims = verified(&set, &jwt).unwrap();
    assert_eq!(
        (&claims["aud"], &claims["iss"]),
        (&"drill".into(), &lab.issuer("main").unwrap().issuer.into())
    );
    assert_eq!(claims["token_introspection"]["active"], true);
    assert_eq!(claims.get("exp"), None);
    let (header, _) = opened(&jwt);
    assert_eq!((&header["typ"], &header["kid"]), (&"token-introspection+jwt".into(), &"key-1".into()));
    assert_eq!(answer(&lab, "x", "*/*").await.0, "application/json");

    let plan = |signed| IssuerPlan { signed_introspection: Some(signed), ..IssuerPlan::default() };
    assert_eq!(answer(&lab_with(plan(true)).await, "x", "application/json").await.0, SIGNED);
    assert_eq!(answer(&lab_with(plan(false)).await, "x", &accept).await.0, "application/json");

    let fail = async |fault: &str| {
        obey(&lab, &format!(r#"{{"fault": {{"introspection": {fault}}}}}"#)).await;
        answer(&lab, &good(&lab), SIGNED).await.1
    };
    assert_eq!(verified(&set, &fail(r#"{"signed_as": "other_key"}"#).await), None);
    let elsewhere = fail(r#"{"signed_as": "other_audience"}"#).await;
    assert_eq!(verified(&set, &elsewhere).unwrap()["aud"], "somebody-else");
    let old = verified(&set, &fail(r#"{"signed_as": "old"}"#).await).unwrap();
    let age = claims["iat"].as_i64().unwrap() - old["iat"].as_i64().unwrap();
    assert!((86_370..=86_400).contains(&age), "{age}");
    let string = verified(&set, &fail(r#"{"active_as": "string"}"#).await).unwrap();
    assert_eq!(string["token_introspection"]["active"], "true", "what is wrong is signed, too");
}

#[tokio::test]
async fn who_asks_is_counted() {
    let lab = lab().await;
    let count = |endpoint| lab.counts("main")[&endpoint].requests;
    for _ in 0..3 {
        active(&lab, "x").await;
    }
    let token_endpoint = lab.issuer("main").unwrap().token_endpoint;
    assert_eq!(crate::assertion::post(&token_endpoint, &[]).await.0, 401);
    assert_eq!((count(Endpoint::Introspection), count(Endpoint::Token)), (3, 1));
}
