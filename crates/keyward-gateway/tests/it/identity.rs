//! What the service behind the proxy is told: never more than was verified, never what a client said.

use serde_json::{Value, json};

use crate::support::{
    Folder, KEY, STRANGERS_KEY, bearer, claims, config, expired_token, good_token, sign, with,
};

const ROUTES: &str = r#"
    [[route]]
    paths = ["/public/"]
    access = "public"
    [route.headers]
    "X-Public" = "/sub"
    [[route]]
    paths = ["/optional/"]
    access = "optional"
    [route.headers]
    "X-Auth-Subject" = "/sub"
    [[route]]
    paths = ["/silent/"]
    [[route]]
    paths = ["/scope/"]
    scopes = ["nobody-has-it"]
    [route.headers]
    "X-Auth-Subject" = "/sub"
    [[route]]
    [route.headers]
    "X-Auth-Subject" = "/sub"
    "X-Auth-Issuer" = "/iss"
    "X-Auth-Roles" = "/realm_access/roles"
    "X-Auth-First-Role" = "/realm_access/roles/0"
    "X-Auth-Expires" = "/exp"
    "X-Auth-Name" = "/name"
"#;

const ALL: [&str; 7] = [
    "x-auth-expires",
    "x-auth-first-role",
    "x-auth-issuer",
    "x-auth-name",
    "x-auth-roles",
    "x-auth-subject",
    "x-public",
];

#[tokio::test]
async fn verified_claims_become_headers() {
    let folder = Folder::new();
    let running = folder.start(&config(ROUTES)).await;
    let claims = with(with(claims(), "exp", 4_000_000_000_u64), "name", "Zoë 東");
    let token = sign(&KEY, &claims);
    // The second time it is remembered.
    for _ in 0..2 {
        let got = running.ask_with(&token).await;
        let told = ALL.map(|name| got.header(name).unwrap());
        let roles = r#"["admin","auditor"]"#;
        assert_eq!(told, ["4000000000", "admin", "https://idp.example", "Zoë 東", roles, "alice", ""]);
    }
    let got = running.ask("/optional/", &[("authorization", &bearer(&token))]).await;
    assert_eq!(ALL.map(|name| got.header(name).unwrap()), ["", "", "", "", "", "alice", ""]);
}

#[tokio::test]
async fn every_other_answer_clears_them_all() {
    let folder = Folder::new();
    let running = folder.start(&config(ROUTES)).await;
    let (good, bad) = (bearer(&good_token()), bearer(&expired_token()));
    let strangers = bearer(&sign(&STRANGERS_KEY, &with(claims(), "sub", "root")));
    let spoofed = ("x-auth-subject", "root");
    for (path, authorization, status) in [
        ("/", None, 401),
        ("/", Some("Basic YTpi"), 401),
        ("/", Some("Bearer x"), 401),
        ("/", Some(&*bad), 401),
        ("/", Some(&*strangers), 401),
        ("/optional/", None, 200),
        ("/optional/", Some(&*bad), 401),
        ("/public/", None, 200),
        ("/public/", Some(&*good), 200),
        ("/public/", Some(&*strangers), 200),
        ("/silent/", None, 401),
        ("/silent/", Some(&*good), 200),
        ("/scope/", Some(&*good), 403),
        ("/public/../", Some(&*good), 400),
    ] {
        let headers: Vec<_> =
            [spoofed].into_iter().chain(authorization.map(|value| ("authorization", value))).collect();
        let got = running.ask(path, &headers).await;
        assert_eq!(got.status, status, "{path} {authorization:?}");
        assert_eq!(ALL.map(|name| got.header(name)), [Some(""); 7], "{path} {authorization:?}");
    }
}

#[tokio::test]
async fn undecided_clears_them_all() {
    let folder = Folder::new();
    folder.write("keys.json", "{}");
    let running = folder.start(&config(ROUTES)).await;
    let got = running.ask_with(&good_token()).await;
    assert_eq!(got.status, 503);
    assert_eq!(ALL.map(|name| got.header(name)), [Some(""); 7]);
}

#[tokio::test]
async fn a_claim_that_would_not_arrive_as_it_is_does_not_arrive() {
    let folder = Folder::new();
    let running = folder.start(&config(ROUTES)).await;
    for (name, told) in [
        (json!("a\r\nX-Admin: yes"), ""),
        (json!("a\nb"), ""),
        (json!("a\0b"), ""),
        (json!("a\u{7f}b"), ""),
        (json!("\u{1b}[31m"), ""),
        (json!(null), ""),
        (json!(""), ""),
        // Whitespace at the ends is lost on the way: "alice " would arrive as "alice".
        (json!("alice "), ""),
        (json!(" alice"), ""),
        (json!("\talice"), ""),
        (json!("alice b"), "alice b"),
        (json!("\u{85}"), "\u{85}"),
        (json!(-1.5), "-1.5"),
        (json!(true), "true"),
        (json!([]), "[]"),
        (json!({ "a": "b\nc" }), r#"{"a":"b\nc"}"#),
        (json!("x".repeat(4000)), &*"x".repeat(4000)),
    ] {
        for path in ["name", "sub"] {
            if path == "sub" && !name.is_string() {
                continue;
            }
            let got = running.ask_with(&sign(&KEY, &with(claims(), path, Value::clone(&name)))).await;
            assert_eq!(got.status, 200, "{path} {name}: {}", got.body);
            let header = if path == "sub" { "x-auth-subject" } else { "x-auth-name" };
            assert_eq!(got.header(header), Some(told), "{path} {name}");
            assert_eq!(got.header("x-admin"), None);
        }
    }
}

#[tokio::test]
async fn a_gateway_without_identity_headers_sends_none() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let got = running.ask_with(&good_token()).await;
    let mut names: Vec<_> = got.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "x-correlation-id"]);
}
