//! What people change of what is there, by commands, at a node; and what the lists tell them.

use crate::place::Place;

#[test]
fn members_are_changed_one_by_one_and_the_rest_stays() {
    let (place, _serving) = Place::served();
    let shown = |arguments: &[&str]| {
        let text = place.done(&[arguments, &["--json"]].concat());
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    place.done(&["realm", "create", "main"]);
    let realm = shown(&["realm", "change", "main", "--publish-for", "3600", "--access-token-lifetime", "60"]);
    assert_eq!(
        (&realm["rotation"]["publish_for"], &realm["access_token_lifetime"]),
        (&3600.into(), &60.into())
    );
    assert_eq!(realm["rotation"]["sign_for"], 30 * 86_400, "it was not named");
    let realm = shown(&["realm", "change", "main", "--add", "algorithm=EdDSA", "--just-in-time"]);
    assert_eq!(realm["rotation"]["algorithms"], serde_json::json!(["ES256", "EdDSA"]));
    let refused = place.ask(&["realm", "change", "main", "--sign-for", "1"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("sign_for"), "{}", refused.stderr);

    place.done(&["resource-server", "create", "api", "--realm", "main", "--scope", "read"]);
    let server = shown(&[
        "resource-server",
        "change",
        "api",
        "--realm",
        "main",
        "--add",
        "scope=write",
        "--access-token-lifetime",
        "30",
    ]);
    assert_eq!(server["scopes"], serde_json::json!(["read", "write"]));
    let server = shown(&[
        "resource-server",
        "change",
        "api",
        "--realm",
        "main",
        "--remove",
        "scope=read",
        "--unset",
        "access_token_lifetime",
    ]);
    assert_eq!(
        (&server["scopes"], server.get("access_token_lifetime")),
        (&serde_json::json!(["write"]), None)
    );

    let tls = [
        "client",
        "create",
        "ledger",
        "--realm",
        "main",
        "--method",
        "tls-client-auth",
        "--tls-dns",
        "a.example",
    ];
    place.done(&tls);
    let client =
        shown(&["client", "change", "ledger", "--realm", "main", "--tls-uri", "spiffe://example/ledger"]);
    assert_eq!(client["tls_subject"], serde_json::json!({ "uri": "spiffe://example/ledger" }));
    let client = shown(&[
        "client",
        "change",
        "ledger",
        "--realm",
        "main",
        "--method",
        "private-key-jwt",
        "--unset",
        "tls_subject",
    ]);
    assert_eq!(
        (&client["auth_methods"], client.get("tls_subject")),
        (&serde_json::json!(["private_key_jwt"]), None)
    );

    let issuer = ["--issuer", "https://ci.example", "--audience", &place.issuer("main")];
    place.done(&[&["signer", "create", "ci", "--realm", "main"], &issuer[..]].concat());
    let identity = ["--realm", "main", "--signer", "ci"];
    let allowed = ["--subject", "deploy", "--audience", "api", "--scope", "write"];
    place.done(&[&["identity", "create", "repo:shop"], &identity[..], &allowed].concat());
    place.done(&[&["identity", "disable", "repo:shop"], &identity[..]].concat());
    let found = shown(&[&["identity", "show", "repo:shop"], &identity[..]].concat());
    assert_eq!((&found["subject"], &found["enabled"]), (&"deploy".into(), &false.into()));
    let listed = place.done(&[&["identity", "list"], &identity[..]].concat());
    assert_eq!(
        listed,
        "external id  subject  enabled  just in time  scopes  audiences\n\
         repo:shop    deploy   no       no            write   api\n"
    );
    place.done(&[&["identity", "delete", "repo:shop"], &identity[..]].concat());
}

#[test]
fn keys_and_secrets_have_an_end_that_can_be_moved() {
    let (place, _serving) = Place::served();
    place.done(&["realm", "create", "main"]);
    place.done(&["client", "create", "shop", "--realm", "main"]);
    let of = ["--realm", "main", "--client", "shop"];
    let until = ["--expires-at", "2099-01-01T00:00:00Z"];
    place.done(&[&["secret", "create"], &of[..], &until].concat());
    let listed = place.done(&[&["secret", "list"], &of[..]].concat());
    assert!(listed.contains("2099-01-01T00:00:00Z"), "{listed}");
    let show = [&["secret", "show", "--json"], &of[..]].concat();
    place.done(&[&["secret", "disable"], &of[..]].concat());
    assert!(place.done(&show).contains("\"enabled\":false,\"expires_at\":4070908800"), "the end stays");
    place.done(&[&["secret", "change", "--never-expires"], &of[..]].concat());
    let shown = place.done(&show);
    assert!(shown.contains("\"enabled\":false") && !shown.contains("expires_at"), "{shown}");

    place.done(&[&["key", "generate", "--expires-in", "90d"], &of[..]].concat());
    let keys = place.done(&[&["key", "list", "--json"], &of[..]].concat());
    let key: serde_json::Value = serde_json::from_str(keys.trim()).unwrap();
    let (added, end) = (key["added_at"].as_i64().unwrap(), key["expires_at"].as_i64().unwrap());
    assert!((end - added - 90 * 86_400).abs() < 60, "{key}");
    let kid = key["kid"].as_str().unwrap();
    place.done(&[&["key", "change", kid], &of[..], &until].concat());
    let shown = place.done(&[&["key", "show", kid], &of[..]].concat());
    assert!(shown.starts_with("kid") && shown.contains("expires_at  2099-01-01T00:00:00Z"), "{shown}");
}

#[test]
fn the_log_is_told_in_order_and_from_a_place_on() {
    let (place, _serving) = Place::served();
    place.done(&["realm", "create", "main"]);
    place.done(&["service-account", "create", "robot", "--realm", "main"]);
    let all = place.done(&["events", "--realm", "main", "--json"]);
    let events: Vec<serde_json::Value> =
        all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!((&last["action"], &last["id"]), (&"service_account.created".into(), &"robot".into()));
    let before = (last["position"].as_i64().unwrap() - 1).to_string();
    let told = place.done(&["events", "--realm", "main", "--after", &before]);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("administrator") && told.contains("service_account.created"), "{told}");
    assert_eq!(place.ask(&["events", "--realm", "none"]).code, 1);
}

#[test]
fn the_last_administrator_stays() {
    let (place, _serving) = Place::served();
    for arguments in [
        &["service-account", "disable", "administrator", "--realm", "admin"][..],
        &["service-account", "delete", "administrator", "--realm", "admin"],
        &[
            "service-account",
            "change",
            "administrator",
            "--realm",
            "admin",
            "--remove",
            "scope=authority.write",
        ],
    ] {
        let refused = place.ask(arguments);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(refused.stderr.contains("409"), "{}", refused.stderr);
    }
    assert_eq!(place.ask(&["realm", "list"]).code, 0);
}
