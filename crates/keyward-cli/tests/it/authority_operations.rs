//! Every operation of the administration's REST API has a command: each command is run against somebody who writes down what it asks
//! for, and that is looked up in the OpenAPI document.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::{Json, Router};
use http::{HeaderMap, Method, Uri};
use keyward_jose::Signer as _;
use serde_json::{Value, json};

use crate::support::*;

/// What each operation is done by. What describes the others needs no token, and no command.
const COMMANDS: &[(&str, &[&str])] = &[
    ("list_realms", &["realm", "list"]),
    ("create_realm", &["realm", "create", "main"]),
    ("get_realm", &["realm", "show", "main"]),
    ("change_realm", &["realm", "change", "main", "--sign-for", "604800"]),
    ("delete_realm", &["realm", "delete", "main"]),
    ("list_clients", &["client", "list", "--realm", "main"]),
    ("create_client", &["client", "create", "shop", "--realm", "main"]),
    ("get_client", &["client", "show", "shop", "--realm", "main"]),
    ("change_client", &["client", "change", "shop", "--realm", "main", "--add", "scope=read"]),
    ("delete_client", &["client", "delete", "shop", "--realm", "main"]),
    ("list_service_accounts", &["service-account", "list", "--realm", "main"]),
    ("create_service_account", &["service-account", "create", "robot", "--realm", "main"]),
    ("get_service_account", &["service-account", "show", "robot", "--realm", "main"]),
    ("change_service_account", &["service-account", "disable", "robot", "--realm", "main"]),
    ("delete_service_account", &["service-account", "delete", "robot", "--realm", "main"]),
    ("list_resource_servers", &["resource-server", "list", "--realm", "main"]),
    ("create_resource_server", &["resource-server", "create", "https://api.example", "--realm", "main"]),
    ("get_resource_server", &["resource-server", "show", "https://api.example", "--realm", "main"]),
    (
        "change_resource_server",
        &["resource-server", "change", "https://api.example", "--realm", "main", "--opaque"],
    ),
    ("delete_resource_server", &["resource-server", "delete", "https://api.example", "--realm", "main"]),
    ("list_external_signers", &["signer", "list", "--realm", "main"]),
    (
        "create_external_signer",
        &["signer", "create", "ci", "--realm", "main", "--issuer", "https://ci.example", "--audience", "us"],
    ),
    ("get_external_signer", &["signer", "show", "ci", "--realm", "main"]),
    ("change_external_signer", &["signer", "change", "ci", "--realm", "main", "--id-claim", "email"]),
    ("delete_external_signer", &["signer", "delete", "ci", "--realm", "main"]),
    ("list_identities", &["identity", "list", "--realm", "main", "--signer", "ci"]),
    (
        "create_identity",
        &["identity", "create", "repo:a/b", "--realm", "main", "--signer", "ci", "--subject", "deploy"],
    ),
    ("get_identity", &["identity", "show", "repo:a/b", "--realm", "main", "--signer", "ci"]),
    ("change_identity", &["identity", "enable", "repo:a/b", "--realm", "main", "--signer", "ci"]),
    ("delete_identity", &["identity", "delete", "repo:a/b", "--realm", "main", "--signer", "ci"]),
    ("list_client_keys", &["key", "list", "--realm", "main", "--client", "shop"]),
    ("upload_client_key", &["key", "upload", "--realm", "main", "--client", "shop", "--file", "KEY"]),
    ("generate_client_key", &["key", "generate", "--realm", "main", "--client", "shop"]),
    ("get_client_key", &["key", "show", "k1", "--realm", "main", "--client", "shop"]),
    (
        "change_client_key",
        &["key", "change", "k1", "--realm", "main", "--client", "shop", "--expires-in", "1d"],
    ),
    ("delete_client_key", &["key", "delete", "k1", "--realm", "main", "--client", "shop"]),
    ("list_service_account_keys", &["key", "list", "--realm", "main", "--service-account", "robot"]),
    (
        "upload_service_account_key",
        &["key", "upload", "--realm", "main", "--service-account", "robot", "--file", "KEY"],
    ),
    ("generate_service_account_key", &["key", "generate", "--realm", "main", "--service-account", "robot"]),
    ("get_service_account_key", &["key", "show", "k1", "--realm", "main", "--service-account", "robot"]),
    (
        "change_service_account_key",
        &["key", "disable", "k1", "--realm", "main", "--service-account", "robot"],
    ),
    ("delete_service_account_key", &["key", "delete", "k1", "--realm", "main", "--service-account", "robot"]),
    ("list_secrets", &["secret", "list", "--realm", "main", "--client", "shop"]),
    ("make_secret", &["secret", "create", "--realm", "main", "--client", "shop", "--expires-in", "90d"]),
    ("get_secret", &["secret", "show", "--realm", "main", "--client", "shop"]),
    ("change_secret", &["secret", "change", "--realm", "main", "--client", "shop", "--never-expires"]),
    ("delete_secret", &["secret", "delete", "--realm", "main", "--client", "shop"]),
    ("list_signing_keys", &["signing-key", "list", "--realm", "main"]),
    ("rotate_signing_keys", &["signing-key", "rotate", "--realm", "main"]),
    ("retire_signing_key", &["signing-key", "retire", "k1", "--realm", "main"]),
    ("withdraw_signing_key", &["signing-key", "withdraw-compromised", "k1", "--realm", "main"]),
    ("list_events", &["events", "--realm", "main"]),
];

/// What was asked for.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    path: String,
    if_match: Option<String>,
    body: Value,
}

/// Somebody who says yes to everything, and writes it down.
struct Recorder {
    origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Recorder {
    fn start() -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let written = asked.clone();
        let answer = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let if_match = headers.get("if-match").map(|version| version.to_str().unwrap().to_owned());
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let path = uri.path().to_owned();
            written.lock().unwrap().push(Asked { method, path, if_match, body });
            let found = json!({ "items": [], "name": "a", "enabled": true, "value": "v", "file": "f" });
            ([("etag", "\"7\"")], Json(found)).into_response()
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { origin, asked, _runtime: runtime }
    }

    /// What a command asks for last.
    fn asked_by(&self, arguments: &[&str], token: &str) -> Asked {
        self.asked.lock().unwrap().clear();
        let who = ["--server", &self.origin, "--token-file", token];
        let run = keyward(&[&["authority"], arguments, &who].concat(), "");
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        self.asked.lock().unwrap().last().cloned().expect("it asks")
    }
}

/// The operations by what they are asked for by.
fn operations() -> Vec<(String, String, String)> {
    let document: Value = serde_json::from_str(keyward_authority::admin::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().iter();
        let operation = |(method, operation): (&String, &Value)| {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            (id, method.to_uppercase(), format!("{}{path}", keyward_authority::admin::PATH))
        };
        methods.map(operation).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// Whether `path` is one of those that `template` stands for.
fn is_of(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
}

#[test]
fn every_operation_of_the_api_has_a_command() {
    let folder = Folder::new();
    let token = folder.write("token", "t\n");
    let key = folder.write("key.jwk", &serde_json::to_string(KEY.public_jwk().unwrap()).unwrap());
    let (recorder, operations) = (Recorder::start(), operations());
    for (id, arguments) in COMMANDS {
        let arguments: Vec<_> = arguments.iter().map(|it| if *it == "KEY" { &*key } else { it }).collect();
        let asked = recorder.asked_by(&arguments, &token);
        let done = operations
            .iter()
            .find(|(_, method, path)| *method == asked.method.as_str() && is_of(path, &asked.path));
        assert_eq!(done.map(|(id, ..)| id.as_str()), Some(*id), "{arguments:?} asks for {asked:?}");
        let version = (asked.method == Method::PUT).then_some("\"7\"");
        assert_eq!(asked.if_match.as_deref(), version, "{arguments:?}: what was read is what is changed");
    }
    let offered: BTreeSet<_> = operations.iter().map(|(id, ..)| id.as_str()).collect();
    let commands: BTreeSet<_> = COMMANDS.iter().map(|(id, _)| *id).chain(["get_document"]).collect();
    let missing: Vec<_> = offered.difference(&commands).collect();
    assert!(missing.is_empty(), "these operations have no command: {missing:?}");
}

#[test]
fn what_is_sent_is_what_was_said() {
    let folder = Folder::new();
    let token = folder.write("token", "t\n");
    let members = folder.write("members.json", r#"{"description":"from a file","scopes":["a"]}"#);
    let recorder = Recorder::start();
    let sent = |line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        recorder.asked_by(&arguments, &token).body
    };
    let client = sent(
        "client create shop --realm main --method tls-client-auth --tls-dns shop.example --grant token-exchange \
         --audience https://api.example --scope read --jwks-uri https://shop.example/jwks --requires-dpop",
    );
    assert_eq!(
        client,
        json!({
            "id": "shop",
            "enabled": true,
            "kind": "confidential",
            "auth_methods": ["tls_client_auth"],
            "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"],
            "audiences": ["https://api.example"],
            "scopes": ["read"],
            "tls_subject": { "dns": "shop.example" },
            "jwks_uri": "https://shop.example/jwks",
            "requires_dpop": true,
        })
    );
    let public = sent("client create spa --realm main --public");
    assert_eq!((&public["kind"], &public["auth_methods"]), (&"public".into(), &json!(["none"])));
    let from_file = format!("service-account create robot --realm main --from {members} --scope b");
    let account = sent(&from_file);
    let merged = json!({ "id": "robot", "enabled": true, "description": "from a file", "scopes": ["b"] });
    assert_eq!(account, merged, "flags count over the file");
    let realm = sent("realm create bank --algorithm EdDSA --publish-for 3600 --sign-for 86400");
    assert_eq!(realm["rotation"], json!({ "algorithms": ["EdDSA"], "publish_for": 3600, "sign_for": 86400 }));
    // What was read goes back with nothing else changed.
    let changed = sent("client change a --realm main --add grant=jwt-bearer --add scope=read --unset value");
    assert_eq!(
        changed,
        json!({
            "items": [],
            "name": "a",
            "enabled": true,
            "file": "f",
            "scopes": ["read"],
            "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
        })
    );
    let expiry = sent("key change k1 --realm main --client shop --expires-at 2026-11-21T04:00:00Z");
    assert_eq!(expiry, json!({ "enabled": true, "expires_at": AT_SECONDS }));
}

#[test]
fn a_change_that_makes_no_sense_is_not_sent() {
    let folder = Folder::new();
    let token = folder.write("token", "t\n");
    let recorder = Recorder::start();
    for (line, words) in [
        ("client change a --realm main", "say what to change"),
        ("client change a --realm main --add colour=red", "is no list"),
        ("client change a --realm main --add method=guess", "no method is called"),
        ("client change a --realm main --unset tls_subject", "it has no"),
        ("client change a --realm main --tls-dns a --tls-uri b", "cannot be used with"),
        ("signer create ci --realm main --issuer https://ci.example", "needs --audience"),
        ("identity create a --realm main --signer ci", "needs --subject"),
        ("key change k1 --realm main --client a", "--never-expires"),
        ("realm list --realm main", "unexpected argument"),
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let who = ["--server", &recorder.origin, "--token-file", &token];
        let run = keyward(&[&["authority"], &arguments[..], &who].concat(), "");
        assert_eq!((run.code, run.stdout.as_str()), (64, ""), "{line}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{line}: {}", run.stderr);
    }
    let asked = recorder.asked.lock().unwrap();
    assert!(asked.iter().all(|asked| asked.method == Method::GET), "{asked:?}");
}
