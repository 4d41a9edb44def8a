//! What an administrator does in a day.

use http::Method;
use serde_json::{Value, json};

use super::api::Api;
use crate::bench::{Bench, conformance};
use crate::operations::node::{account, client};

conformance! {
    an_entity_is_made_read_changed_by_its_version_listed_and_deleted
    an_audience_that_is_a_uri_stands_in_a_path
    keys_and_secrets_are_shown_without_what_is_secret_but_for_once
    a_list_goes_on_where_it_ended_and_says_when_that_was_all
}

async fn an_entity_is_made_read_changed_by_its_version_listed_and_deleted(bench: Bench) {
    let api = Api::of(&bench).await;
    let token = api.token("authority.write").await;
    let send = async |method, path: &str, version: Option<&str>, body| {
        api.send(method, path, Some(&token), version, body).await
    };
    let (list, one) = ("/realms/main/clients", "/realms/main/clients/web");
    let mut body = serde_json::to_value(client("web")).unwrap();
    let made = send(Method::POST, list, None, Some(body.clone())).await;
    assert_eq!((made.status, &made.json), (201, &body));
    let again = send(Method::POST, list, None, Some(body.clone())).await;
    assert_eq!((again.status, again.problem()), (409, "exists"));
    let read = send(Method::GET, one, None, None).await;
    assert_eq!((read.status, &read.tag, &read.json), (200, &made.tag, &body));

    body["enabled"] = json!(false);
    let blind = send(Method::PUT, one, None, Some(body.clone())).await;
    assert_eq!((blind.status, blind.problem()), (428, "version_missing"));
    let changed = send(Method::PUT, one, made.tag.as_deref(), Some(body.clone())).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.tag, made.tag);
    let late =
        send(Method::PUT, one, made.tag.as_deref(), Some(serde_json::to_value(client("web")).unwrap())).await;
    assert_eq!((late.status, late.problem()), (412, "conflict"));
    let any = send(Method::PUT, one, Some("*"), Some(body.clone())).await;
    assert_eq!((any.status, any.tag), (200, changed.tag.clone()));
    let renamed = send(Method::PUT, "/realms/main/clients/other", Some("*"), Some(body.clone())).await;
    assert_eq!(renamed.status, 422);

    body["id"] = json!("a/b");
    let refused = send(Method::POST, list, None, Some(body.clone())).await;
    assert_eq!((refused.status, &refused.json["member"]), (422, &json!("id")));
    body["secret"] = json!("x");
    assert_eq!(send(Method::POST, list, None, Some(body)).await.status, 422);
    let late = send(Method::DELETE, one, made.tag.as_deref(), None).await;
    assert_eq!(late.status, 412);
    assert_eq!(send(Method::DELETE, one, changed.tag.as_deref(), None).await.status, 204);
    assert_eq!(send(Method::GET, one, None, None).await.status, 404);
    assert_eq!(send(Method::DELETE, one, None, None).await.status, 404);
    assert_eq!(send(Method::GET, "/realms/nobody/clients", None, None).await.status, 404);

    let realm = json!(keyward_authority::entity::Realm::new("second"));
    assert_eq!(send(Method::POST, "/realms", None, Some(realm)).await.status, 201);
    let keys = send(Method::GET, "/realms/second/signing-keys", None, None).await;
    assert_eq!(keys.json["items"][0]["state"], "active");
    assert!(!keys.json.to_string().contains("sealed"));
    let kid = keys.json["items"][0]["kid"].as_str().unwrap().to_owned();
    let retire = format!("/realms/second/signing-keys/{kid}/retire");
    assert_eq!(send(Method::POST, &retire, None, None).await.status, 409);
    assert_eq!(send(Method::POST, "/realms/second/rotate-signing-keys", None, None).await.status, 204);
    let withdraw = format!("/realms/second/signing-keys/{kid}/withdraw-compromised");
    assert_eq!(send(Method::POST, &withdraw, None, None).await.status, 204);
}

async fn an_audience_that_is_a_uri_stands_in_a_path(bench: Bench) {
    let api = Api::of(&bench).await;
    let token = api.token("authority.write").await;
    let audience = "https://api.example/v1?a=b%20c";
    let body = json!({"audience": audience, "enabled": true, "token_format": "jwt", "scopes": ["a"]});
    let path = "/realms/main/resource-servers";
    let made = api.send(Method::POST, path, Some(&token), None, Some(body)).await;
    assert_eq!(made.status, 201);
    let escaped: String = audience.bytes().map(|octet| format!("%{octet:02X}")).collect();
    let one = format!("{path}/{escaped}");
    let read = api.send(Method::GET, &one, Some(&token), None, None).await;
    assert_eq!((read.status, &read.json["audience"]), (200, &json!(audience)));

    let signer = json!({
        "name": "idp", "issuer": "https://idp.example", "enabled": true, "audience": "us", "keys": "discovery",
        "id_claim": "sub",
    });
    let signers = "/realms/main/external-signers";
    assert_eq!(api.send(Method::POST, signers, Some(&token), None, Some(signer)).await.status, 201);
    let identity = json!({
        "signer": "idp", "external_id": "a/b c", "subject": "s1", "enabled": true, "just_in_time": false,
    });
    let identities = "/realms/main/external-signers/idp/identities";
    let made = api.send(Method::POST, identities, Some(&token), None, Some(identity.clone())).await;
    assert_eq!(made.status, 201);
    let elsewhere = "/realms/main/external-signers/other/identities";
    assert_eq!(api.send(Method::POST, elsewhere, Some(&token), None, Some(identity)).await.status, 422);
    let one = format!("{identities}/a%2Fb%20c");
    let read = api.send(Method::GET, &one, Some(&token), None, None).await;
    assert_eq!((read.status, &read.json["subject"]), (200, &json!("s1")));
    let listed = api.send(Method::GET, identities, Some(&token), None, None).await;
    assert_eq!(listed.json["items"][0]["external_id"], "a/b c");
}

async fn keys_and_secrets_are_shown_without_what_is_secret_but_for_once(bench: Bench) {
    let api = Api::of(&bench).await;
    let token = api.token("authority.write").await;
    let send = async |method, path: &str, version: Option<&str>, body| {
        api.send(method, path, Some(&token), version, body).await
    };
    api.node.create("main", client("web")).await.unwrap();
    api.node.create("main", account("robot")).await.unwrap();
    for owner in ["clients/web", "service-accounts/robot"] {
        let (keys, generated) =
            (format!("/realms/main/{owner}/keys"), format!("/realms/main/{owner}/generated-keys"));
        let body = json!({"algorithm": "EdDSA", "format": "pem", "expires_at": 1_900_000_000});
        let made = send(Method::POST, &generated, None, Some(body)).await;
        assert_eq!(made.status, 201);
        assert!(made.json["file"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----"));
        let jwk = send(Method::POST, &generated, None, Some(json!({}))).await;
        let private: Value = serde_json::from_str(jwk.json["file"].as_str().unwrap()).unwrap();
        assert!(private["d"].is_string());
        let again = send(Method::POST, &keys, None, Some(json!({"jwk": private}))).await;
        assert_eq!(again.status, 422, "a private key is not taken");

        let listed = send(Method::GET, &keys, None, None).await;
        assert_eq!(listed.json["items"].as_array().unwrap().len(), 2);
        assert!(!listed.json.to_string().contains("\"d\""));
        let kid = made.json["key"]["kid"].as_str().unwrap();
        let one = format!("{keys}/{kid}");
        let read = send(Method::GET, &one, None, None).await;
        assert_eq!((&read.json, &read.tag), (&made.json["key"], &made.tag));
        let standing = json!({"enabled": false});
        let off = send(Method::PUT, &one, read.tag.as_deref(), Some(standing.clone())).await;
        assert_eq!(
            (off.status, &off.json["enabled"], off.json.get("expires_at")),
            (200, &json!(false), None)
        );
        assert_eq!(send(Method::PUT, &one, read.tag.as_deref(), Some(standing)).await.status, 412);
        assert_eq!(send(Method::DELETE, &one, None, None).await.status, 204);
        assert_eq!(send(Method::GET, &one, None, None).await.status, 404);
    }
    let secrets = "/realms/main/clients/web/secrets";
    let made = send(Method::POST, secrets, None, Some(json!({"name": "first"}))).await;
    assert_eq!(made.status, 201);
    let value = made.json["value"].as_str().unwrap().to_owned();
    for path in [secrets, "/realms/main/clients/web/secrets/first", "/realms/main/events?limit=500"] {
        let shown = send(Method::GET, path, None, None).await;
        let text = shown.json.to_string();
        assert!(shown.status == 200 && !text.contains(&value) && !text.contains("argon2"), "{path}: {text}");
        assert!(!text.contains("sealed"), "{path}: {text}");
    }
    let off = send(
        Method::PUT,
        "/realms/main/clients/web/secrets/first",
        made.tag.as_deref(),
        Some(json!({"enabled": false})),
    );
    assert_eq!(off.await.status, 200);
}

async fn a_list_goes_on_where_it_ended_and_says_when_that_was_all(bench: Bench) {
    let api = Api::of(&bench).await;
    let token = api.token("authority.read").await;
    for number in 0..5 {
        api.node.create("main", client(&format!("c{number}"))).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/realms/main/clients?limit=2&after={after}");
        let page = api.send(Method::GET, &path, Some(&token), None, None).await.json;
        let ids =
            page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4"]);
    let (mut positions, mut after) = (Vec::new(), "0".to_owned());
    loop {
        let path = format!("/realms/main/events?limit=3&after={after}");
        let page = api.send(Method::GET, &path, Some(&token), None, None).await.json;
        positions.extend(page["items"].as_array().unwrap().iter().map(|it| it["position"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]) && positions.len() >= 8, "{positions:?}");
    for query in ["limit=0", "limit=501", "limit=a", "order=id", "limit=1&limit=1", "after=a&after=b"] {
        let path = format!("/realms/main/clients?{query}");
        assert_eq!(api.send(Method::GET, &path, Some(&token), None, None).await.status, 400, "{query}");
    }
    for after in ["-1", "a", "9223372036854775808"] {
        let path = format!("/realms/main/events?after={after}");
        assert_eq!(api.send(Method::GET, &path, Some(&token), None, None).await.status, 400, "{after}");
    }
}
