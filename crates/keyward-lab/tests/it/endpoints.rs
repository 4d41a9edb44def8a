//! The token and the introspection endpoint, and a clock that is wrong.

use keyward_lab::Lab;
use keyward_lab::plan::IssuerPlan;
use serde_json::Value;

use crate::support::{client, fetch, good, jwks_uri, lab, lab_with, obey, verified};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

async fn introspect(lab: &Lab, token: &str) -> Value {
    let endpoint = lab.issuer("main").unwrap().introspection_endpoint;
    let request = client().post(endpoint).basic_auth("drill", Some("drill")).form(&[("token", token)]);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn client_credentials_are_granted_a_token_that_is_active() {
    let lab =
        lab_with(serde_json::from_str(r#"{"token_lifetime": "77s", "audience": "orders"}"#).unwrap()).await;
    let endpoint = lab.issuer("main").unwrap().token_endpoint;
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "read"),
        ("client_id", "drill"),
        ("client_secret", "drill"),
    ];
    let granted = client().post(&endpoint).form(&form).send().await.unwrap();
    assert_eq!(granted.headers()["cache-control"], "no-store");
    let granted: Value = granted.json().await.unwrap();
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&"Bearer".into(), &77.into()));
    let token = granted["access_token"].as_str().unwrap();
    let claims = verified(&fetch(&jwks_uri(&lab)).await.unwrap().json(), token).unwrap();
    assert_eq!((&claims["aud"], &claims["scope"]), (&"orders".into(), &"read".into()));
    let active = introspect(&lab, token).await;
    assert_eq!((&active["active"], &active["scope"]), (&true.into(), &"read".into()));
}

#[tokio::test]
async fn an_opaque_token_is_known_to_its_issuer_until_it_expires() {
    let lab = lab().await;
    let endpoint = lab.issuer("main").unwrap().token_endpoint;
    let form = [GRANT[0], ("resource", "opaque")];
    let request = client().post(endpoint).basic_auth("drill", Some("drill")).form(&form);
    let granted: Value = request.send().await.unwrap().json().await.unwrap();
    let token = granted["access_token"].as_str().unwrap();
    assert!(!token.contains('.'));
    let active = introspect(&lab, token).await;
    assert_eq!((&active["active"], &active["aud"]), (&true.into(), &"api".into()));
    obey(&lab, r#"{"clock": {"ahead_s": 1000}}"#).await;
    assert_eq!(introspect(&lab, token).await, serde_json::json!({ "active": false }));
    assert_eq!(introspect(&lab, "opaque-nobodys").await["active"], false);
}

#[tokio::test]
async fn a_token_of_another_signature_or_key_is_inactive() {
    let lab = lab().await;
    assert_eq!(introspect(&lab, &good(&lab)).await["active"], true);
    for plan in [r#"{"signature": "random"}"#, r#"{"signature": "other_key"}"#, r#"{"issued_ago": "1h"}"#] {
        let token = lab.token(None, &serde_json::from_str(plan).unwrap()).unwrap();
        assert_eq!(introspect(&lab, &token).await["active"], false, "{plan}");
    }
    for junk in ["", "a.b.c", "..."] {
        assert_eq!(introspect(&lab, junk).await["active"], false, "{junk:?}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_known_is_told_so() {
    let lab = lab().await;
    let addresses = lab.issuer("main").unwrap();
    for endpoint in [addresses.token_endpoint, addresses.introspection_endpoint] {
        let no_secret = client().post(&endpoint).form(&GRANT);
        let wrong_secret = client().post(&endpoint).basic_auth("drill", Some("wrong")).form(&GRANT);
        for request in [no_secret, wrong_secret] {
            let refused = request.send().await.unwrap();
            assert_eq!(
                (refused.status().as_u16(), &refused.headers()["www-authenticate"]),
                (401, &"Basic realm=\"lab\"".parse().unwrap())
            );
            assert_eq!(refused.json::<Value>().await.unwrap()["error"], "invalid_client");
        }
    }
}

#[tokio::test]
async fn a_clock_can_be_wrong_in_tokens_and_in_dates_each_by_itself() {
    let lab =
        lab_with(IssuerPlan { cache_control: Some("max-age=9".to_owned()), ..IssuerPlan::default() }).await;
    let now = async |lab: &Lab| {
        let raw = fetch(&jwks_uri(lab)).await.unwrap();
        assert_eq!(raw.header("cache-control"), Some("max-age=9"));
        let date = httpdate::parse_http_date(raw.header("date").unwrap()).unwrap();
        let date = date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        (verified(&raw.json(), &good(lab)).unwrap()["iat"].as_i64().unwrap(), date)
    };
    let (iat, date) = now(&lab).await;
    assert!((iat - date).abs() <= 1);
    for (command, by_token, by_date) in [
        (r#"{"clock": {"ahead_s": 5000}}"#, 5000, 5000),
        (r#"{"clock": {"ahead_s": -5000, "date_header": false}}"#, -5000, 0),
        (r#"{"clock": {"ahead_s": 5000, "tokens": false}}"#, 0, 5000),
        (r#"{"clock": {"ahead_s": 0}}"#, 0, 0),
    ] {
        obey(&lab, command).await;
        let (wrong_iat, wrong_date) = now(&lab).await;
        assert!((wrong_iat - iat - by_token).abs() < 30, "{command}");
        assert!((wrong_date - date - by_date).abs() < 30, "{command}");
    }
}
