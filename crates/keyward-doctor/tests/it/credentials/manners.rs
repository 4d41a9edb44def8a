//! What the probe does not do: ask twice, send a secret elsewhere, keep one.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyward::clock::SystemClock;
use keyward::{IntrospectionSettings, IssuerSettings, Strategy};
use keyward_doctor::facts::Facts;
use keyward_doctor::probe::{IssuerTarget, Means, Silent, Target, look};
use keyward_lab::client::KeyFileForm;
use serde_json::json;

use super::{Ours, gateway_client, gateway_key};
use crate::probe::OPENID;
use crate::probe::server::{Reply, Server};

/// Each call is another one.
fn counted(facts: &Facts) -> usize {
    let calls = &facts.issuers[0].introspection.as_ref().unwrap().calls;
    let different: BTreeSet<_> =
        calls.iter().map(|call| (call.endpoint.as_str(), call.method.as_str(), call.variation)).collect();
    assert_eq!(different.len(), calls.len(), "{calls:#?}");
    calls.len()
}

fn introspected(issuer: &str, introspection: IntrospectionSettings) -> Target {
    let settings = IssuerSettings {
        strategy: Strategy::Introspection,
        introspection: Some(introspection),
        ..IssuerSettings::discover(issuer).named("main")
    };
    Target { issuers: vec![IssuerTarget { settings }], ..Target::default() }
}

#[tokio::test]
async fn no_call_is_made_twice_and_there_are_few_of_them() {
    let mut plan = gateway_client("s3cret");
    plan["errors"] = json!("zitadel");
    plan["client"]["gateway"]["keys"] = gateway_key()["client"]["gateway"]["keys"].clone();
    plan["client"]["robot"] = json!({ "kind": "service_account", "keys": [{ "kid": "robot-1" }] });
    let ours = Ours::at(plan).await;
    let disabled = json!({ "state": "disabled" });
    ours.obey(json!({ "clock": { "ahead_s": 30 }, "client": { "gateway": disabled, "robot": disabled } }))
        .await;
    for (credential, most) in [
        (ours.secret("gateway", "s3cret", false), 3),
        (ours.private_key_jwt("gateway", KeyFileForm::Pem), 6),
        (ours.jwt_bearer("robot", KeyFileForm::ServiceAccount), 8),
    ] {
        let look = ours.looked(credential).await;
        let calls = counted(&look.facts);
        assert!((3..=most).contains(&calls), "{:#?}", look.calls());
    }
}

#[tokio::test]
async fn a_server_is_asked_no_more_often_than_the_calls_that_are_told() {
    let server = Server::start().await;
    let mut metadata = server.metadata();
    metadata["introspection_endpoint"] = json!(server.text("/introspect"));
    metadata["introspection_endpoint_auth_methods_supported"] =
        json!(["client_secret_basic", "client_secret_post"]);
    server.set(OPENID, Reply::json(&metadata.to_string()));
    let says = |description: &str| {
        let body = json!({ "error": "invalid_client", "error_description": description }).to_string();
        Reply::of("401 Unauthorized", "content-type: application/json\r\n", &body)
    };
    server.set("/introspect", says("go away"));
    let ours = Ours::at(json!({})).await;
    let introspection = IntrospectionSettings::new(ours.secret("gateway", "s3cret", false));
    let facts = look(&introspected(&server.issuer(), introspection), &means()).await;
    assert_eq!((counted(&facts), server.hits("/introspect")), (3, 3));
    let asked = server.asked();
    let ours = asked.iter().filter(|asked| asked.path == "/introspect");
    assert!(
        ours.clone().all(|asked| asked.head.starts_with("POST ") && asked.head.contains("keyward-doctor/"))
    );
    // By the method that is configured, by the other one, and as nobody: the secret itself goes along twice.
    assert_eq!(
        ours.filter(|asked| asked.head.to_ascii_lowercase().contains("authorization: basic")).count(),
        2
    );
}

#[tokio::test]
async fn a_method_that_is_not_advertised_is_not_tried() {
    let server = Server::start().await;
    let mut metadata = server.metadata();
    metadata["introspection_endpoint"] = json!(server.text("/introspect"));
    metadata["introspection_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
    server.set(OPENID, Reply::json(&metadata.to_string()));
    server.set("/introspect", Reply::of("401 Unauthorized", "", ""));
    let ours = Ours::at(json!({})).await;
    let introspection = IntrospectionSettings::new(ours.secret("gateway", "s3cret", false));
    let facts = look(&introspected(&server.issuer(), introspection), &means()).await;
    assert_eq!((counted(&facts), server.hits("/introspect")), (2, 2));
}

#[tokio::test]
async fn an_endpoint_on_another_host_gets_no_secret_because_a_document_names_it() {
    let (server, elsewhere) = (Server::start().await, Server::at("127.0.0.2:0").await);
    let mut metadata = server.metadata();
    metadata["introspection_endpoint"] = json!(elsewhere.text("/introspect"));
    server.set(OPENID, Reply::json(&metadata.to_string()));
    elsewhere.set("/introspect", Reply::json(r#"{"active":false}"#));
    let ours = Ours::at(json!({})).await;
    let introspection = IntrospectionSettings::new(ours.secret("gateway", "s3cret", false));
    let facts = look(&introspected(&server.issuer(), introspection), &means()).await;
    assert_eq!(elsewhere.asked().len(), 0);
    assert_eq!(counted(&facts), 1);
}

#[tokio::test]
async fn neither_a_secret_nor_an_assertion_nor_a_bearer_is_in_the_bundle_or_the_findings() {
    let planted = "pl4nted-s3cret-of-ours";
    let server = Server::start().await;
    let mut metadata = server.metadata();
    metadata["introspection_endpoint"] = json!(server.text("/introspect"));
    server.set(OPENID, Reply::json(&metadata.to_string()));
    let body = json!({
        "error": planted, "error_description": format!("you sent {planted}, which is wrong"), "more": planted,
    });
    let headers = format!(
        "content-type: application/json\r\nwww-authenticate: Basic realm=\"{planted}\", error=\"{planted}+x\"\r\n"
    );
    server.set("/introspect", Reply::of("401 Unauthorized", &headers, &body.to_string()));
    let ours = Ours::at(json!({ "client": {
        "gateway": { "keys": [{ "kid": "gateway-1", "algorithm": "ES256" }] },
        "robot": { "kind": "service_account", "keys": [{ "kid": "robot-1", "algorithm": "RS256" }] },
    } }))
    .await;
    let mut looks = Vec::new();
    let introspection = IntrospectionSettings::new(ours.secret("gateway", planted, false));
    looks.push(look(&introspected(&server.issuer(), introspection), &means()).await);
    for credential in [
        ours.jwt_bearer("robot", KeyFileForm::ServiceAccount),
        ours.private_key_jwt("gateway", KeyFileForm::Pem),
    ] {
        looks.push(ours.looked(credential.clone()).await.facts);
        ours.obey(
            json!({ "client": { "robot": { "state": "disabled" }, "gateway": { "state": "disabled" } } }),
        )
        .await;
        looks.push(ours.looked(credential).await.facts);
    }
    for facts in looks {
        let bundle = format!(
            "{}{:?}",
            serde_json::to_string(&facts).unwrap(),
            keyward_doctor::rules::diagnose(&facts)
        );
        // Every JWT begins so, and every private key.
        for secret in ["pl4nted", "eyJ", "BEGIN", "PRIVATE", "Bearer "] {
            assert!(!bundle.contains(secret), "{secret}: {bundle}");
        }
    }
}

fn means() -> Means {
    Means::new(Arc::new(SystemClock::new()), Arc::new(Silent))
}
