//! The control API, by HTTP.

use std::net::SocketAddr;

use keyward_lab::Lab;
use keyward_lab::control::{Control, ControlError};
use serde_json::Value;

use crate::support::{client, dial, fetch, jwks_uri, lab, verified};

async fn controlled() -> (Lab, Control, String) {
    let lab = lab().await;
    let control = Control::bind(&lab, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = format!("http://{}", control.address());
    (lab, control, address)
}

#[tokio::test]
async fn commands_are_obeyed_and_refused_with_a_reason() {
    let (lab, _control, address) = controlled().await;
    let post = async |body: &'static str| {
        client().post(format!("{address}/command")).body(body).send().await.unwrap()
    };
    assert_eq!(post(r#"{"fault": {"jwks": {"status": {"code": 500}}}}"#).await.status(), 204);
    assert_eq!(fetch(&jwks_uri(&lab)).await.unwrap().status(), 500);
    let refused = post(r#"{"mend": ["all"], "publish": ["nobodys"]}"#).await;
    assert_eq!(refused.status(), 400);
    let error: Value = refused.json().await.unwrap();
    assert_eq!(error["error"], "issuer \"main\" has no key \"nobodys\"; it has key-1");
    assert_eq!(fetch(&jwks_uri(&lab)).await.unwrap().status(), 500);
    for malformed in ["{", r#"{"fautl": {}}"#, r#"{"fault": {"jwks": "explode"}}"#] {
        let refused = post(malformed).await;
        assert_eq!(refused.status(), 400, "{malformed}");
        assert!(refused.json::<Value>().await.unwrap()["error"].is_string());
    }
    assert_eq!(post(r#"{"mend": ["all"]}"#).await.status(), 204);
    assert_eq!(fetch(&jwks_uri(&lab)).await.unwrap().status(), 200);
    let long = client().post(format!("{address}/command")).body(vec![b' '; 2 << 20]).send().await.unwrap();
    assert_eq!(long.status(), 413);
}

#[tokio::test]
async fn tokens_are_made_and_the_lab_is_described() {
    let (lab, _control, address) = controlled().await;
    let url = format!("{address}/token?issuer=main");
    let token = client().post(&url).body(r#"{"lifetime": "1h"}"#).send().await.unwrap().text().await.unwrap();
    let claims = verified(&fetch(&jwks_uri(&lab)).await.unwrap().json(), &token).unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert_eq!(client().post(format!("{address}/token")).send().await.unwrap().status(), 200);
    assert_eq!(client().post(format!("{address}/token?issuer=x")).send().await.unwrap().status(), 400);
    let command = r#"{"fault": {"token": "hang"}, "generate": [{"kid": "key-2", "algorithm": "EdDSA"}]}"#;
    lab.obey(&serde_json::from_str(command).unwrap()).await.unwrap();
    let issuers: Value =
        client().get(format!("{address}/issuers")).send().await.unwrap().json().await.unwrap();
    let main = &issuers["main"];
    assert_eq!(main["jwks_uri"], jwks_uri(&lab).as_str());
    assert_eq!(main["faults"], serde_json::json!({ "token": "hang" }));
    assert_eq!(main["counts"]["jwks"], serde_json::json!({ "connections": 1, "requests": 1 }));
    let key_2 =
        serde_json::json!({ "name": "key-2", "algorithm": "EdDSA", "published": false, "signing": false });
    assert_eq!(main["keys"][1], key_2);
    let pem = client().get(format!("{address}/authority.pem")).send().await.unwrap().text().await.unwrap();
    assert_eq!(pem, lab.authority_pem());
}

#[tokio::test]
async fn key_files_are_handed_out() {
    let (lab, _control, address) = controlled().await;
    let command = r#"{"register": {"gate way": {"keys": [{"kid": "k/1", "algorithm": "EdDSA"}]}}}"#;
    lab.obey(&serde_json::from_str(command).unwrap()).await.unwrap();
    let file = async |query: &str| {
        let answer = client().get(format!("{address}/clients/gate%20way/key{query}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, pem) = file("").await;
    assert_eq!((status, pem.starts_with("-----BEGIN PRIVATE KEY-----")), (200, true));
    let application = file("?issuer=main&kid=k%2F1&form=application").await.1;
    assert_eq!(serde_json::from_str::<Value>(&application).unwrap()["clientId"], "gate way");
    for refused in ["?form=der", "?kid=k", "?issuer=other"] {
        assert_eq!(file(refused).await.0, 400, "{refused}");
    }
    let issuers: Value =
        client().get(format!("{address}/issuers")).send().await.unwrap().json().await.unwrap();
    let registered =
        serde_json::json!({ "kind": "application", "state": "enabled", "keys": { "k/1": "good" } });
    assert_eq!(issuers["main"]["clients"]["gate way"], registered);
    assert_eq!(issuers["main"]["clients"]["drill"]["secret"], "drill");
}

#[tokio::test]
async fn no_page_of_a_browser_commands_it() {
    let (lab, _control, address) = controlled().await;
    let command = || client().post(format!("{address}/command")).body(r#"{"fault": {"all": "refuse"}}"#);
    let rebound = command().header("host", "lab.evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    assert_eq!(command().header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    assert_eq!(fetch(&jwks_uri(&lab)).await.unwrap().status(), 200);
    for host in ["localhost:1", "127.0.0.1", "[::1]:80"] {
        assert_eq!(command().header("host", host).send().await.unwrap().status(), 204, "{host}");
    }
}

#[tokio::test]
async fn it_is_for_this_machine_unless_it_is_told_otherwise() {
    let lab = lab().await;
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Control::bind(&lab, anywhere).await;
    assert!(matches!(refused, Err(ControlError::NotLoopback { .. })));
    let control = Control::dangerous_bind_anywhere(&lab, anywhere).await.unwrap();
    let url = format!("http://127.0.0.1:{}", control.address().port());
    let issuers = async |host: &'static str| {
        client().get(format!("{url}/issuers")).header("host", host).send().await.unwrap().status().as_u16()
    };
    assert_eq!((issuers("192.0.2.1").await, issuers("lab.evil.example").await), (200, 403));
    drop(control);
    while dial(&url).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
