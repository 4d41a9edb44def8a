//! From nothing to a request that is done: the bootstrap's key gets a token, which administrates.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;

use axum::body::to_bytes;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use keyward_authority::admin::{AUDIENCE, bootstrap};
use keyward_authority::http::{Form, FormRequest, KnownName, Peer, token};
use keyward_jose::{Algorithm, LocalSigner, sign_compact};
use serde_json::{Value, json};

use super::api::Api;
use crate::bench::{Bench, conformance};
use crate::operations::node::{NOW, Node};

conformance! {
    the_key_of_the_bootstrap_gets_a_token_that_administrates
}

async fn the_key_of_the_bootstrap_gets_a_token_that_administrates(bench: Bench) {
    let (node, folder) = (Node::new(bench.open().await), tempfile::tempdir().unwrap());
    let path = folder.path().join("bootstrap.toml");
    fs::write(&path, "key_file = \"root.pem\"\nformat = \"pem\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let made = bootstrap(&node.authority, &path).await.unwrap();

    let pem = pem::parse(fs::read_to_string(&made.key_file).unwrap()).unwrap();
    let signer = LocalSigner::from_pkcs8(Algorithm::Es256, Some(&made.kid), pem.contents()).unwrap();
    let issuer = node.authority.issuer("admin");
    let claims = json!({
        "iss": made.service_account, "sub": made.service_account, "aud": issuer, "exp": NOW + 60, "iat": NOW,
        "jti": "once",
    });
    let assertion = sign_compact(&signer, None, claims.to_string().as_bytes()).await.unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .append_pair("assertion", &assertion)
        .append_pair("resource", AUDIENCE)
        .append_pair("scope", "authority.write")
        .finish();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let request = FormRequest {
        realm: node.authority.realm("admin").await.unwrap().unwrap(),
        name: "token",
        issuer,
        form: Form::parse(&headers, &Bytes::from(body)).unwrap(),
        headers,
        peer: Peer::plain(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        known: KnownName::default(),
        arrived: node.authority.clock().now(),
    };
    let answer = token(&node.authority, &request).await.unwrap();
    let answer: Value =
        serde_json::from_slice(&to_bytes(answer.into_body(), 100_000).await.unwrap()).unwrap();

    let api = Api::over(node);
    let access_token = answer["access_token"].as_str().unwrap();
    let realm = json!(keyward_authority::entity::Realm::new("main"));
    let done = api.send(Method::POST, "/realms", Some(access_token), None, Some(realm)).await;
    assert_eq!(done.status, 201);
    let events = api.send(Method::GET, "/realms/main/events", Some(access_token), None, None).await;
    assert_eq!(events.json["items"][0]["actor"], "administrator");
}
