//! What a stranger, or an administrator's broken script, may send: never a 500, never a panic.

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::api::Api;
use super::document::operations;
use crate::bench::Bench;
use crate::operations::node::{account, client, server, signer};

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,8}",
        any::<String>().prop_map(|text| text.chars().take(20).collect()),
        Just("\0".to_owned()),
        Just("..".to_owned()),
        Just("a/b".to_owned()),
        Just("main".to_owned()),
        Just("web".to_owned()),
        Just("x".repeat(3000)),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((texts(), inner), 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A good body of some kind, with a few members that are not.
fn bodies() -> impl Strategy<Value = Value> {
    let good = prop_oneof![
        Just(json!(client("web2"))),
        Just(json!(account("robot2"))),
        Just(json!(server("https://two.example"))),
        Just(json!(signer("idp2"))),
        Just(json!(keyward_authority::entity::Realm::new("second"))),
        Just(json!({"jwk": {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}})),
        Just(json!({"pem": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"})),
        Just(json!({"enabled": true, "expires_at": 1})),
        Just(json!({"name": "first"})),
    ];
    (good, prop::collection::vec((any::<prop::sample::Index>(), values()), 0..3)).prop_map(
        |(mut body, changes)| {
            let names: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
            for (index, value) in changes {
                body[index.get(&names).as_str()] = value;
            }
            body
        },
    )
}

fn escaped(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

#[test]
fn whatever_is_sent_is_answered_and_never_by_a_500() {
    let runtime = Runtime::new().unwrap();
    let bench = Bench::sqlite();
    let api = runtime.block_on(Api::of(&bench));
    let token = runtime.block_on(api.token("authority.write"));
    runtime.block_on(api.node.create("main", client("web"))).unwrap();
    let operations = operations();
    let request = (
        any::<prop::sample::Index>(),
        prop::collection::vec(texts(), 3),
        prop_oneof![values(), bodies()],
        prop_oneof![
            Just(None),
            Just(Some("*".to_owned())),
            any::<i64>().prop_map(|tag| Some(format!("\"{tag}\""))),
            "[ -~]{0,8}".prop_map(Some)
        ],
        prop_oneof![
            Just(String::new()),
            "[a-z=&%0-9]{0,12}",
            texts().prop_map(|it| format!("after={}", escaped(&it)))
        ],
    );
    let config = ProptestConfig { cases: 400, ..ProptestConfig::default() };
    proptest!(config, |((index, names, body, version, query) in request)| {
        let (method, template, _) = index.get(&operations);
        let mut names = names.iter();
        let path: Vec<_> = template
            .split('/')
            .map(|part| match part {
                // Most of the time it is a realm that is there.
                "{realm}" if query.len() % 4 != 0 => "main".to_owned(),
                part if part.starts_with('{') => names.next().map_or("x".to_owned(), |name| escaped(name)),
                part => part.to_owned(),
            })
            .collect();
        let uri = format!("{}?{query}", path.join("/"));
        prop_assume!(uri.parse::<http::Uri>().is_ok());
        let answer = runtime.block_on(api.send(method.clone(), &uri, Some(&token), version.as_deref(), Some(body)));
        // The realm of the tokens is not one that a test may lose.
        prop_assert!(answer.status < 500, "{method} {uri}: {answer:?}");
    });
    assert_eq!(runtime.block_on(api.node.store().verify()).unwrap(), []);
}

#[tokio::test]
async fn what_is_no_json_is_too_large_or_is_named_wrongly_is_told_so() {
    let bench = Bench::sqlite();
    let api = Api::of(&bench).await;
    let token = api.token("authority.write").await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/realms/main/clients")
            .header(AUTHORIZATION, format!("bearer {token}"))
            .header(CONTENT_TYPE, kind);
        api.call(request.body(Body::from(body)).unwrap()).await.status
    };
    assert_eq!(send("text/plain", b"{}".to_vec()).await, 415);
    assert_eq!(send("application/json; charset=utf-8", b"{".to_vec()).await, 400);
    assert_eq!(send("application/json", b"[]".to_vec()).await, 400);
    assert_eq!(send("application/json", b"\xff".to_vec()).await, 400);
    assert_eq!(send("application/json", b"{}".to_vec()).await, 422);
    assert_eq!(send("application/json", br#"{"id":"a","id":"b"}"#.to_vec()).await, 422);
    assert_eq!(send("application/json", "[".repeat(60_000).into_bytes()).await, 400);
    assert_eq!(send("application/json", vec![b' '; 65_537]).await, 413);
    let twice = Request::builder()
        .uri("/realms")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(api.call(twice.body(Body::empty()).unwrap()).await.status, 401);
    for path in ["/realms/%FF", "/realms/main/clients/%FF"] {
        let answer = api.send(Method::GET, path, Some(&token), None, None).await;
        assert_eq!(answer.status, 400, "{path}");
    }
    for path in
        ["/realms/%00", "/realms/main/clients/%00", "/realms/main/clients/a%2Fb", "/realms/main%00/events"]
    {
        let answer = api.send(Method::GET, path, Some(&token), None, None).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}
