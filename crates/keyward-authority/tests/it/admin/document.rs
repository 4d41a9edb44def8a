//! The OpenAPI document.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use super::api::Api;
use crate::bench::Bench;

pub(super) fn document() -> Value {
    serde_json::from_str(keyward_authority::admin::document()).unwrap()
}

/// Every operation of the document: its method, its path, and the path with names in the place of its parameters.
pub(super) fn operations() -> Vec<(Method, String, String)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let filled = path
            .split('/')
            .map(|part| match part {
                "{realm}" => "main",
                part if part.starts_with('{') => "somebody",
                part => part,
            })
            .collect::<Vec<_>>()
            .join("/");
        item.as_object()
            .unwrap()
            .keys()
            .map(move |method| (method.to_uppercase().parse().unwrap(), path.clone(), filled.clone()))
    });
    operations.collect()
}

#[tokio::test]
async fn the_document_is_served_to_everybody_and_is_openapi_3_1() {
    let bench = Bench::sqlite();
    let api = Api::of(&bench).await;
    let answer = api.send(Method::GET, "/openapi.json", None, None, None).await;
    assert_eq!((answer.status, &answer.json), (200, &document()));
    let document = answer.json;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "/admin/v1");
    assert_eq!(document["security"][0]["bearer"], serde_json::json!([]));
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_is_whole() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let named: BTreeSet<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path" && parameter["required"] == true)
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let braces: BTreeSet<_> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(named, braces, "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn what_is_described_is_served_and_nothing_else() {
    let bench = Bench::sqlite();
    let api = Api::of(&bench).await;
    let described = operations();
    assert!(described.len() > 40, "{}", described.len());
    let mut methods = std::collections::BTreeMap::<_, BTreeSet<_>>::new();
    for (method, _, path) in described {
        methods.entry(path).or_default().insert(method.to_string());
    }
    for (path, described) in methods {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = api.send(method.clone(), &path, None, None, None).await;
            let is_described = described.contains(method.as_str());
            let expected = match (is_described, path.as_str()) {
                (true, "/openapi.json") => 200,
                (true, _) => 401,
                (false, _) => 405,
            };
            assert_eq!(answer.status, expected, "{method} {path}");
        }
    }
    assert_eq!(api.send(Method::GET, "/realms/main/nothing", None, None, None).await.status, 404);
}
