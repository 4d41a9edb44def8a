//! Keys of each algorithm, what stands beside them, and who shows which.

use keyward_jose::{JwkSet, JwkSetLimits};
use keyward_lab::Lab;
use keyward_lab::plan::{Algorithm, IssuerPlan, KeyPlan};
use keyward_lab::token::{Kid, TokenPlan};
use serde_json::Value;

use crate::support::{ALGORITHMS, fetch, good, kids, kids_of, lab, lab_with, obey, plan, set, verified};

fn token(lab: &Lab, plan: &str) -> String {
    lab.token(None, &serde_json::from_str(plan).unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_of_every_algorithm_verify_and_bad_ones_do_not() {
    let named = |algorithm: Algorithm| KeyPlan { algorithm, ..KeyPlan::named(algorithm.name()) };
    let keys = ALGORITHMS.map(named).to_vec();
    let lab = lab_with(IssuerPlan { keys, ..IssuerPlan::default() }).await;
    let set = set(&lab).await;
    assert_eq!(kids_of(&set), ALGORITHMS.map(Algorithm::name));
    let parsed = JwkSet::parse(set.to_string().as_bytes(), JwkSetLimits::default()).unwrap();
    assert_eq!(parsed.skipped(), []);
    let issuer = lab.issuer("main").unwrap().issuer;
    for algorithm in ALGORITHMS.map(Algorithm::name) {
        let claims = verified(&set, &token(&lab, &format!(r#"{{"key": "{algorithm}"}}"#))).unwrap();
        assert_eq!(claims["iss"], issuer.as_str());
        for signature in ["random", "other_key"] {
            let plan = format!(r#"{{"key": "{algorithm}", "signature": "{signature}"}}"#);
            assert_eq!(verified(&set, &token(&lab, &plan)), None, "{plan}");
        }
    }
}

#[tokio::test]
async fn a_token_is_as_it_is_planned() {
    let lab = lab().await;
    let set = set(&lab).await;
    let plan = r#"{"lifetime": "10s", "issued_ago": "1h", "audience": "elsewhere", "octets": 16000,
        "claims": {"scope": "\"a b\"", "admin": "true", "sub": "null"}}"#;
    let long = token(&lab, plan);
    assert!((15_900..16_100).contains(&long.len()), "{}", long.len());
    let claims = verified(&set, &long).unwrap();
    let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    let now = verified(&set, &good(&lab)).unwrap()["iat"].as_i64().unwrap();
    assert_eq!(exp - iat, 10);
    assert!((3600..3610).contains(&(now - iat)));
    assert_eq!((&claims["aud"], &claims["scope"]), (&"elsewhere".into(), &"a b".into()));
    assert_eq!((&claims["admin"], &claims["sub"]), (&true.into(), &Value::Null));
    for (kid, said) in [(Kid::Absent, None), (Kid::Given("x".to_owned()), Some("x"))] {
        let token = lab.token(None, &TokenPlan { kid, typ: Some("JWT".to_owned()), ..TokenPlan::default() });
        let header = header(&token.unwrap());
        assert_eq!((header["kid"].as_str(), header["typ"].as_str()), (said, Some("JWT")));
    }
    let random = r#"{"kid": "random"}"#;
    assert_ne!(header(&token(&lab, random))["kid"], header(&token(&lab, random))["kid"]);
    for refused in [r#"{"claims": {"a": "b"}}"#, r#"{"key": "nobodys"}"#, r#"{"octets": 99000000}"#] {
        assert!(lab.token(None, &serde_json::from_str(refused).unwrap()).is_err(), "{refused}");
    }
}

fn header(token: &str) -> Value {
    let encoded = token.split('.').next().unwrap();
    serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(encoded).unwrap()).unwrap()
}

#[tokio::test]
async fn keys_are_made_published_used_and_withdrawn_each_by_itself() {
    let lab = lab().await;
    obey(&lab, r#"{"generate": [{"kid": "key-2"}]}"#).await;
    assert_eq!(kids(&lab).await, ["key-1"]);
    obey(&lab, r#"{"sign_with": "key-2"}"#).await;
    assert_eq!(verified(&set(&lab).await, &good(&lab)), None, "signed before it is published");
    obey(&lab, r#"{"publish": ["key-2"]}"#).await;
    assert_eq!(kids(&lab).await, ["key-1", "key-2"]);
    assert!(verified(&set(&lab).await, &good(&lab)).is_some());
    obey(&lab, r#"{"withdraw": ["key-1"]}"#).await;
    assert_eq!(kids(&lab).await, ["key-2"]);
    let old = token(&lab, r#"{"key": "key-1"}"#);
    assert_eq!(verified(&set(&lab).await, &old), None);
    obey(&lab, r#"{"empty": true}"#).await;
    assert_eq!(set(&lab).await, serde_json::json!({ "keys": [] }));
    obey(&lab, r#"{"empty": false, "publish": ["key-1"], "sign_with": "key-1", "withdraw": ["key-2"]}"#)
        .await;
    assert!(verified(&set(&lab).await, &old).is_some(), "rolled back");
}

#[tokio::test]
async fn nodes_take_turns() {
    let lab = lab().await;
    obey(&lab, r#"{"generate": [{"kid": "key-2"}], "nodes": [["key-1"], ["key-1", "key-2"], []]}"#).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(kids(&lab).await.join(" "));
    }
    let one_after_the_other = ["key-1", "key-1 key-2", ""];
    assert_eq!(seen, [one_after_the_other, one_after_the_other].concat());
    obey(&lab, r#"{"nodes": []}"#).await;
    assert_eq!((kids(&lab).await, kids(&lab).await), (vec!["key-1".to_owned()], vec!["key-1".to_owned()]));
}

#[tokio::test]
async fn what_should_not_be_there_stands_before_the_good_ones() {
    let lab = lab().await;
    let command = r#"{"beside": ["akp", {"broken_point": "broken"}, {"duplicate_of": "key-1"}, "weak_rsa",
        "symmetric", "encryption", "nameless", "no_object", {"raw": "{\"kty\": \"EC\", \"kid\": \"raw\"}"}]}"#;
    obey(&lab, command).await;
    let set = set(&lab).await;
    let expected =
        ["akp", "broken", "key-1", "weak-rsa", "symmetric", "encryption", "-", "-", "raw", "key-1"];
    assert_eq!(kids_of(&set), expected);
    let parsed = JwkSet::parse(set.to_string().as_bytes(), JwkSetLimits::default()).unwrap();
    let usable: Vec<_> = parsed.keys().iter().map(|key| key.kid().unwrap_or("-")).collect();
    assert_eq!(usable, ["key-1", "-", "key-1"], "the duplicate and the nameless one are good keys");
    assert!(verified(&set, &good(&lab)).is_some());
    obey(&lab, r#"{"beside": []}"#).await;
    assert_eq!(kids(&lab).await, ["key-1"]);
}

#[tokio::test]
async fn a_nameless_key_has_no_kid_anywhere() {
    let key = KeyPlan { nameless: true, ..KeyPlan::named("key-1") };
    let lab = lab_with(IssuerPlan { keys: vec![key], ..IssuerPlan::default() }).await;
    assert_eq!(kids(&lab).await, ["-"]);
    let token = good(&lab);
    assert_eq!(header(&token)["kid"], Value::Null);
    assert!(verified(&set(&lab).await, &token).is_some());
}

#[tokio::test]
async fn two_labs_of_a_process_may_have_the_same_rsa_keys_and_two_issuers_never() {
    let rsa = || IssuerPlan {
        keys: vec![KeyPlan { algorithm: Algorithm::RS256, ..KeyPlan::named("rsa") }],
        ..IssuerPlan::default()
    };
    let mut plan = plan(rsa());
    plan.issuer.insert("other".to_owned(), rsa());
    let lab = Lab::on_sockets(&plan, &keyward_lab::Sockets::default()).await.unwrap();
    let other = fetch(&lab.issuer("other").unwrap().jwks_uri).await.unwrap().json();
    assert_ne!(set(&lab).await["keys"][0]["n"], other["keys"][0]["n"]);
}

#[tokio::test]
async fn an_issuer_calls_itself_something_else() {
    let lab = lab().await;
    let true_name = lab.issuer("main").unwrap().issuer;
    for (told, name) in [
        (r#""slash""#, format!("{true_name}/")),
        (r#""upper_case""#, true_name.replace("http", "HTTP")),
        (r#"{"given": "https://staging.idp.example"}"#, "https://staging.idp.example".to_owned()),
        (r#""true""#, true_name.clone()),
    ] {
        obey(&lab, &format!(r#"{{"calls_itself": {told}}}"#)).await;
        let discovery = format!("{true_name}/.well-known/openid-configuration");
        assert_eq!(fetch(&discovery).await.unwrap().json()["issuer"], name.as_str());
        assert_eq!(verified(&set(&lab).await, &good(&lab)).unwrap()["iss"], name.as_str());
    }
}
