//! What operators, probes and scrapers see.

use keyward_gateway::METRICS;
use serde_json::Value;

use crate::support::{
    Folder, KEY, OTHER_ISSUER, OTHER_KEY, Raw, SECRET, bearer, claims, config, expired_token, good_token,
    key_set, other_issuer, sign, until, with,
};

#[tokio::test]
async fn readiness_follows_the_keys() {
    let folder = Folder::new();
    let text = config(&other_issuer());
    let ready = folder.start(&text).await;
    assert_eq!(ready.readiness().await, (200, "ready".to_owned()));
    assert_eq!(ready.operator("/healthz").await.body, "ok\n");
    let body = ready.operator("/readyz").await.json();
    assert_eq!(body["issuers"][1]["name"], "other");
    assert_eq!(body["issuers"][1]["state"], "fresh");
    assert_eq!(body["issuers"][1]["usable"], true);

    folder.write("other.json", "no key set");
    let degraded = folder.start(&text).await;
    assert_eq!(degraded.readiness().await, (200, "degraded".to_owned()));
    assert_eq!(degraded.operator("/readyz").await.json()["issuers"][1]["usable"], false);
    // The one that is well is served.
    assert_eq!(degraded.ask_with(&good_token()).await.status, 200);
    let of_other = sign(&OTHER_KEY, &with(claims(), "iss", OTHER_ISSUER));
    assert_eq!(degraded.ask_with(&of_other).await.status, 503);

    folder.write("keys.json", "{\"keys\":[]}");
    let no_keys = folder.start(&text).await;
    assert_eq!(no_keys.readiness().await, (503, "no_keys".to_owned()));
    assert_eq!(no_keys.operator("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_gateway_that_has_asked_nobody_yet_is_starting() {
    // This listener accepts, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("jwks_uri = \"http://{}/keys\"", silent.local_addr().unwrap());
    let folder = Folder::new();
    let running = folder.start_unready(&config("").replace("jwks_file = \"keys.json\"", &uri)).await;
    assert_eq!(running.readiness().await, (503, "starting".to_owned()));
    assert_eq!(running.operator("/healthz").await.status, 200);
    // An alert on keys that run out needs a number.
    let limit = running.metric("keyward_jwks_stale_limit_seconds{issuer=\"main\"}").await;
    assert_eq!(limit, Some(3600.0));
    let usable_for = running.metric("keyward_jwks_usable_for_seconds{issuer=\"main\"}").await;
    assert_eq!(
        (usable_for, running.metric("keyward_jwks_age_seconds{issuer=\"main\"}").await),
        (Some(0.0), None)
    );
}

#[tokio::test]
async fn a_secret_alone_makes_it_ready() {
    let folder = Folder::new();
    let text = config("").replace("jwks_file = \"keys.json\"", "hmac_secret_file = \"secret\"");
    let running = folder.start(&text.replace(crate::support::ISSUER, "supabase")).await;
    assert_eq!(running.readiness().await, (200, "ready".to_owned()));
    assert_eq!(running.operator("/readyz").await.json()["issuers"][0]["state"], "fixed");
}

#[tokio::test]
async fn the_key_cache_shows_each_key_and_no_secret() {
    let folder = Folder::new();
    let mut set: Value = serde_json::from_str(&key_set(&[&KEY, &OTHER_KEY])).unwrap();
    let unusable = serde_json::json!({ "kty": "AKP", "kid": "post-quantum" });
    set["keys"].as_array_mut().unwrap().push(unusable);
    folder.write("keys.json", &set.to_string());
    let running = folder.start(&config("hmac_secret_file = \"secret\"")).await;
    // With a secret it need not wait for the key set.
    until(async || running.readiness().await.1 == "ready").await;
    let got = running.operator("/debug/jwks-cache").await;
    assert_eq!(got.header("content-type"), Some("application/json"));
    let cache = got.json();
    let issuer = &cache[0];
    for (member, value) in
        [("name", "main"), ("issuer", "https://idp.example"), ("state", "fresh"), ("source", "fetched")]
    {
        assert_eq!(issuer[member], value);
    }
    assert_eq!(issuer["failures"], 0);
    assert!(issuer["age_seconds"].as_u64().unwrap() < 60);
    let (next, until) = (&issuer["next_refresh_seconds"], &issuer["usable_for_seconds"]);
    assert!((60..300).contains(&next.as_u64().unwrap()), "{next}");
    assert!((3500..=3600).contains(&until.as_u64().unwrap()), "{until}");
    let keys = issuer["keys"].as_array().unwrap();
    let kids: Vec<_> = keys.iter().map(|key| &key["kid"]).collect();
    assert_eq!(kids, [&Value::from("main-1"), &Value::from("other-1"), &Value::Null]);
    assert_eq!((&keys[0]["kty"], &keys[2]["kty"]), (&Value::from("OKP"), &Value::from("oct")));
    assert_eq!(keys[0]["algorithms"], serde_json::json!(["EdDSA"]));
    assert_eq!(keys[2]["thumbprint"], Value::Null);
    assert_eq!(issuer["skipped"][0]["kid"], "post-quantum");
    assert_eq!(issuer["skipped"][0]["index"], 2);
    // Not in words, nor in any encoding that a key set has.
    let encoded = base64url(SECRET.as_bytes());
    for page in ["/debug/jwks-cache", "/metrics", "/readyz"] {
        let body = running.operator(page).await.body;
        assert!(!body.contains(SECRET) && !body.contains(&encoded), "{page}");
    }
}

fn base64url(octets: &[u8]) -> String {
    // The payload of a token that holds nothing but the octets.
    let text = String::from_utf8(octets.to_vec()).unwrap();
    let token = sign(&KEY, &Value::String(text));
    let encoded = token.split('.').nth(1).unwrap();
    // Without the quotes' octets and those that share a group with them.
    encoded[4..encoded.len() - 4].to_owned()
}

#[tokio::test]
async fn only_get_and_head_of_known_pages_are_answered() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    for (method, path, status) in [
        ("POST", "/healthz", 405),
        ("PUT", "/metrics", 405),
        ("DELETE", "/debug/jwks-cache", 405),
        ("OPTIONS", "/nothing", 405),
        ("GET", "/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/healthz/", 404),
        ("GET", "/metrics?x", 200),
        ("HEAD", "/readyz", 200),
        ("HEAD", "/metrics", 200),
    ] {
        let mut raw = Raw::connect(running.admin).await;
        raw.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        let (got, head, _) = raw.answer_to(method).await.unwrap();
        assert_eq!(got, status, "{method} {path}");
        assert_eq!(head.contains("\nallow: get, head"), status == 405, "{head}");
        assert!(raw.is_closed().await);
    }
}

#[tokio::test]
async fn metrics_count_what_was_decided() {
    let folder = Folder::new();
    let text = config(&format!("{}[[route]]\npaths = [\"/public/\"]\naccess = \"public\"\n", other_issuer()));
    folder.write("other.json", "no key set");
    let running = folder.start(&text.replace("[gateway]", "[gateway]\nmetrics_namespace = \"edge\"")).await;
    let (good, expired) = (good_token(), expired_token());
    running.ask_with(&good).await;
    running.ask_with(&good).await;
    running.ask_with(&expired).await;
    running.ask_with(&expired).await;
    running.ask_with("x").await;
    running.ask("/", &[]).await;
    running.ask("/public/", &[]).await;
    running.ask("/..", &[]).await;
    running.ask_with(&sign(&OTHER_KEY, &with(claims(), "iss", OTHER_ISSUER))).await;
    running.ask("/", &[("authorization", &bearer(&good)), ("authorization", &bearer(&good))]).await;
    for (sample, value) in [
        ("auth_jwt_invalid_total{reason=\"expired\"}", Some(2.0)),
        ("auth_jwt_invalid_total{reason=\"malformed_token\"}", Some(1.0)),
        ("auth_jwt_invalid_total{reason=\"several_tokens\"}", Some(1.0)),
        ("auth_jwt_invalid_total{reason=\"revoked\"}", Some(0.0)),
        // No token is no invalid token, and neither is one that nobody could judge.
        ("auth_jwt_invalid_total{reason=\"missing_token\"}", None),
        ("auth_jwt_invalid_total{reason=\"keys_unavailable\"}", None),
        ("auth_jwt_invalid_total{reason=\"\"}", None),
        ("edge_verdicts_total{verdict=\"accept\",reason=\"\"}", Some(2.0)),
        ("edge_verdicts_total{verdict=\"reject\",reason=\"missing_token\"}", Some(1.0)),
        ("edge_verdicts_total{verdict=\"undecided\",reason=\"keys_unavailable\"}", Some(1.0)),
        ("edge_jwt_validation_duration_seconds_count", Some(8.0)),
        ("edge_jwt_validation_duration_seconds_bucket{le=\"+Inf\"}", Some(8.0)),
        ("edge_public_requests_total", Some(1.0)),
        ("edge_unclear_requests_total", Some(1.0)),
        ("edge_jwks_usable{issuer=\"main\"}", Some(1.0)),
        ("edge_jwks_usable{issuer=\"other\"}", Some(0.0)),
        ("edge_jwks_keys{issuer=\"main\",state=\"usable\"}", Some(1.0)),
        ("edge_jwks_age_seconds{issuer=\"other\"}", None),
        ("edge_jwks_refreshes_total{issuer=\"main\",outcome=\"refreshed\"}", Some(1.0)),
        ("edge_verdict_cache_entries", Some(1.0)),
    ] {
        assert_eq!(running.metric(sample).await, value, "{sample}");
    }
    assert!(
        running.metric("edge_jwks_refreshes_total{issuer=\"other\",outcome=\"malformed\"}").await > Some(0.0)
    );
    assert!(running.metric("edge_connections").await >= Some(1.0));
}

#[tokio::test]
async fn metrics_are_open_metrics() {
    let folder = Folder::new();
    // A name that must be escaped.
    let text = config(&other_issuer()).replace("name = \"main\"", r#"name = "ma\"in\\ \nx""#);
    let running = folder.start(&text).await;
    running.ask_with(&good_token()).await;
    let got = running.operator("/metrics").await;
    assert!(got.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    let text = &got.body;
    assert!(text.ends_with("\n# EOF\n") && !text.contains("\n\n"));
    assert!(
        text.contains(r#"edge_jwks_usable{issuer="ma\"in\\ \nx"} 1"#.replace("edge", "keyward").as_str()),
        "{text}"
    );
    let mut families: Vec<(&str, &str)> = Vec::new();
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# ") {
            let (keyword, rest) = rest.split_once(' ').unwrap();
            let (name, value) = rest.split_once(' ').unwrap();
            assert!(is_name(name), "{line}");
            match keyword {
                "HELP" => assert!(value.ends_with('.') && value.len() > 10, "{line}"),
                "TYPE" => {
                    assert!(matches!(value, "counter" | "gauge" | "histogram"), "{line}");
                    assert!(families.iter().all(|(other, _)| *other != name), "{name} comes twice");
                    families.push((name, value));
                }
                "UNIT" => {}
                _ => panic!("{line}"),
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
        assert!(is_name(name) && labels.ends_with('}'), "{line}");
        let (family, kind) = families.last().unwrap();
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} belongs to no family"));
        let suffixes: &[&str] = match *kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            _ => &["_bucket", "_sum", "_count"],
        };
        assert!(suffixes.contains(&suffix), "{line}");
    }
    assert!(families.len() >= 15, "{families:?}");
    for (family, kind) in &families {
        let known = METRICS.iter().find(|metric| metric.full_name("keyward") == *family);
        assert_eq!(known.map(|metric| metric.kind.label()), Some(*kind), "{family}");
    }
    for name in ["auth_jwt_invalid", "keyward_jwt_validation_duration_seconds"] {
        assert!(families.iter().any(|(family, _)| *family == name), "{name}");
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
