//! Introspection through the gateway: every strategy, every failure, and whom a client is told it was.

use serde_json::{Value, json};

use crate::logs::Lines;
use crate::provider::{Mood, Provider};
use crate::support::{
    Folder, KEY, OTHER_ISSUER, Running, STRANGERS_KEY, bearer, claims, config, expired_token, good_token,
    now, sign, with,
};

/// What may be given up, with the header that marks it.
const REVOCATION: &str = "[issuer.fallback]\ngives_up = [\"revocation\"]\nheader = \"x-keyward-fallback\"\n";
const SIGNATURE: &str = "[issuer.fallback]\ngives_up = [\"signature\"]\nheader = \"x-keyward-fallback\"\n";

/// Short enough for a test, and longer than an answer on this machine takes.
const TIMEOUT: &str = "timeout = \"400ms\"";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write_secret("client-secret", "planted-secret\n");
    folder
}

/// A configuration whose issuer `main` is decided this way, at this provider.
fn by(strategy: &str, provider: &Provider, rest: &str) -> String {
    config(&format!("strategy = \"{strategy}\"\n{}{rest}", provider.tables(TIMEOUT)))
}

/// A good token that no other one is like.
fn token(number: u64) -> String {
    sign(&KEY, &with(claims(), "jti", format!("jti-{number}")))
}

#[tokio::test]
async fn each_strategy_asks_whom_it_says() {
    let folder = folder();
    let provider = Provider::start().await;
    let (active, revoked, forged) = (token(1), token(2), sign(&STRANGERS_KEY, &claims()));
    provider.knows(&active, json!({}));
    provider.knows(&forged, json!({}));
    // Of an active token, one that is not, and one that the provider knows and whose signature is another's: the
    // reason, and whether the endpoint was asked.
    let (ok, inactive, forgery) = (None, Some("inactive"), Some("invalid_signature"));
    for (strategy, rest, expected) in [
        ("key_set", "", [(ok, 0), (ok, 0), (forgery, 0)]),
        ("introspection", "", [(ok, 1), (inactive, 1), (ok, 1)]),
        ("introspection_then_key_set", REVOCATION, [(ok, 1), (inactive, 1), (ok, 1)]),
        ("key_set_then_introspection", SIGNATURE, [(ok, 0), (ok, 0), (forgery, 0)]),
        ("both", "", [(ok, 1), (inactive, 1), (forgery, 0)]),
    ] {
        let running = folder.start(&by(strategy, &provider, rest)).await;
        for (token, (reason, calls)) in [&active, &revoked, &forged].into_iter().zip(expected) {
            let before = provider.calls();
            let got = running.ask_with(token).await;
            assert_eq!((got.reason(), provider.calls() - before), (reason, calls), "{strategy}");
            assert_eq!(got.status, if reason.is_none() { 200 } else { 401 }, "{strategy}");
            let fallback = if rest.is_empty() { None } else { Some("") };
            assert_eq!(got.header("x-keyward-fallback"), fallback, "{strategy}");
            // The second time it is remembered.
            let before = provider.calls();
            assert_eq!(running.ask_with(token).await.reason(), reason, "{strategy}");
            assert_eq!(provider.calls(), before, "{strategy}");
        }
    }
}

#[tokio::test]
async fn what_an_endpoint_says_is_held_to_what_the_route_demands() {
    let folder = folder();
    let provider = Provider::start().await;
    let routes = "[[route]]\npaths = [\"/admin/\"]\nscopes = [\"admin\"]\n[[route]]\naudiences = [\"api\"]\n\
                  [route.headers]\n\"X-Auth-Subject\" = \"/sub\"\n";
    let running = folder.start(&by("introspection", &provider, routes)).await;
    let said = |members: Value| {
        let mut said = json!({ "sub": "alice", "aud": "api", "scope": "read" });
        said.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        said
    };
    for (token, members, path, reason) in [
        ("good", json!({}), "/", None),
        ("good", json!({}), "/admin/", Some("insufficient_scope")),
        ("scope", json!({ "scope": "read admin" }), "/admin/", None),
        ("aud", json!({ "aud": "other" }), "/", Some("wrong_audience")),
        ("iss", json!({ "iss": OTHER_ISSUER }), "/", Some("wrong_issuer")),
        ("exp", json!({ "exp": now() - 300 }), "/", Some("expired")),
        ("nbf", json!({ "nbf": now() + 300 }), "/", Some("not_yet_valid")),
        ("typ", json!({ "token_type": "refresh_token" }), "/", Some("wrong_token_type")),
    ] {
        provider.knows(token, said(members));
        let got = running.ask(path, &[("authorization", &bearer(token))]).await;
        assert_eq!(got.reason(), reason, "{token} {path}");
        let subject = if reason.is_none() && path == "/" { "alice" } else { "" };
        assert_eq!(got.header("x-auth-subject"), Some(subject), "{token} {path}");
    }
}

#[tokio::test]
async fn what_is_not_to_be_remembered_is_asked_each_time() {
    let folder = folder();
    let provider = Provider::start().await;
    let text = by("introspection", &provider, "");
    let running = folder.start(&text.replace(TIMEOUT, "active_for = \"0s\"\ninactive_for = \"0s\"")).await;
    let (active, other) = (token(1), token(2));
    provider.knows(&active, json!({}));
    for calls in [2, 4, 6] {
        assert_eq!(running.ask_with(&active).await.status, 200);
        assert_eq!(running.ask_with(&other).await.reason(), Some("inactive"));
        assert_eq!(provider.calls(), calls);
    }
    provider.revokes(&active);
    assert_eq!(running.ask_with(&active).await.reason(), Some("inactive"));
    // By default it is counted how often that was not so.
    let running = folder.start(&text).await;
    provider.knows(&active, json!({}));
    for _ in 0..3 {
        running.ask_with(&active).await;
        running.ask_with(&other).await;
    }
    for answer in ["active", "inactive"] {
        let hits = format!("keyward_introspection_cache_hits_total{{issuer=\"main\",answer=\"{answer}\"}}");
        assert_eq!(running.metric(&hits).await, Some(2.0));
        let calls = format!("keyward_introspection_calls_total{{issuer=\"main\",outcome=\"{answer}\"}}");
        assert_eq!(running.metric(&calls).await, Some(1.0));
    }
}

/// Each way to fail: what it is called, and what the client is told where there is no other way.
const FAILURES: &[(Mood, &str, &str)] = &[
    (Mood::Closes, "transport", "introspection_unavailable"),
    (Mood::Hangs, "timed_out", "introspection_unavailable"),
    (Mood::Status(500, 0), "unavailable", "introspection_unavailable"),
    (Mood::Status(429, 0), "unavailable", "introspection_unavailable"),
    (Mood::Status(404, 0), "malformed", "introspection_malformed"),
    (Mood::Html, "malformed", "introspection_malformed"),
    (Mood::Says("{\"active\": \"true\"}"), "malformed", "introspection_malformed"),
    (Mood::Says("{}"), "malformed", "introspection_malformed"),
    (Mood::Says("[]"), "malformed", "introspection_malformed"),
    (Mood::Status(401, 0), "credentials_rejected", "introspection_credentials_rejected"),
    (Mood::Status(403, 0), "credentials_rejected", "introspection_credentials_rejected"),
    (Mood::Status(400, 0), "question_refused", "introspection_malformed"),
];

#[tokio::test]
async fn no_failure_is_the_clients_fault() {
    for (mood, label, reason) in FAILURES {
        let lines = Lines::capture();
        let (folder, provider) = (folder(), Provider::start().await);
        provider.is(*mood);
        for strategy in ["introspection", "both"] {
            let running = folder.start(&by(strategy, &provider, "")).await;
            let before = lines.of("introspection_failed").len();
            refuses(&running, &good_token(), reason).await;
            let outcome = format!("keyward_introspection_calls_total{{issuer=\"main\",outcome=\"{label}\"}}");
            assert_eq!(running.metric(&outcome).await, Some(1.0), "{mood:?} {strategy}");
            let took = "keyward_introspection_duration_seconds_count{issuer=\"main\"}";
            assert_eq!(running.metric(took).await, Some(1.0), "{mood:?} {strategy}");
            // A question that is refused is the token's doing, and says nothing of the endpoint.
            let failed = lines.of("introspection_failed").split_off(before);
            let causes: Vec<_> = failed.iter().map(|line| line["cause"].as_str().unwrap()).collect();
            let expected = if *label == "question_refused" { &[][..] } else { &[*label] };
            assert_eq!(causes, expected, "{mood:?} {strategy}");
        }
        let rejected = lines.of("credential_rejected").len();
        assert_eq!(rejected, if *label == "credentials_rejected" { 2 } else { 0 }, "{mood:?}");
    }
}

/// 503, with this reason, and nothing that tells a client to get another token.
async fn refuses(running: &Running, token: &str, reason: &str) {
    let before = running.metric(&undecided(reason)).await;
    let got = running.ask_with(token).await;
    assert_eq!((got.status, got.reason()), (503, Some(reason)), "{}", got.body);
    assert_eq!((got.header("retry-after"), got.header("www-authenticate")), (Some("5"), None));
    assert_eq!(got.json()["error"], "temporarily_unavailable");
    assert_eq!(running.metric(&undecided(reason)).await, before.map(|count| count + 1.0));
    assert_eq!(running.metric("auth_jwt_invalid_total{reason=\"inactive\"}").await, Some(0.0));
}

fn undecided(reason: &str) -> String {
    format!("keyward_verdicts_total{{verdict=\"undecided\",reason=\"{reason}\"}}")
}

fn fallbacks(cause: &str) -> String {
    format!("keyward_fallback_verdicts_total{{issuer=\"main\",cause=\"{cause}\"}}")
}

#[tokio::test]
async fn every_fallback_is_counted_told_and_marked() {
    for (mood, label, _) in FAILURES {
        let lines = Lines::capture();
        let (folder, provider) = (folder(), Provider::start().await);
        provider.is(*mood);
        for strategy in ["introspection_then_key_set", "both"] {
            let running = folder
                .start(&by(strategy, &provider, &format!("{REVOCATION}[[route]]\npaths = [\"/a\"]")))
                .await;
            let before = lines.of("fallback_verdict").len();
            assert_eq!(running.metric(&fallbacks(label)).await, Some(0.0));
            let sent = bearer(&good_token());
            let got = running.ask("/a", &[("authorization", &sent), ("x-correlation-id", "id-1")]).await;
            assert_eq!(
                (got.status, got.header("x-keyward-fallback")),
                (200, Some(*label)),
                "{mood:?} {strategy}"
            );
            assert_eq!(running.metric(&fallbacks(label)).await, Some(1.0));
            let told = lines.of("fallback_verdict").split_off(before);
            assert_eq!(told.len(), 1);
            for (field, value) in [
                ("level", json!("WARN")),
                ("issuer", json!("main")),
                ("cause", json!(label)),
                ("correlation_id", json!("id-1")),
                ("route", json!(1)),
                ("left_out", json!(0)),
            ] {
                assert_eq!(told[0][field], value, "{mood:?} {strategy}");
            }
            // The keys have not become lax meanwhile, and what they refuse is marked as nothing.
            for (token, reason) in
                [(expired_token(), "expired"), (sign(&STRANGERS_KEY, &claims()), "invalid_signature")]
            {
                let got = running.ask("/a", &[("authorization", &bearer(&token))]).await;
                assert_eq!((got.status, got.reason()), (401, Some(reason)), "{mood:?} {strategy}");
                assert_eq!(got.header("x-keyward-fallback"), Some(""));
            }
        }
    }
}

#[tokio::test]
async fn keys_that_cannot_tell_are_stood_in_for_by_the_endpoint() {
    let folder = folder();
    folder.write("keys.json", "no key set");
    let provider = Provider::start().await;
    let running = folder.start(&by("key_set_then_introspection", &provider, SIGNATURE)).await;
    let (active, revoked) = (token(1), token(2));
    provider.knows(&active, json!({ "aud": "api" }));
    let got = running.ask_with(&active).await;
    assert_eq!((got.status, got.header("x-keyward-fallback")), (200, Some("keys_unavailable")));
    assert_eq!(running.metric(&fallbacks("keys_unavailable")).await, Some(1.0));
    assert_eq!(running.ask_with(&revoked).await.reason(), Some("inactive"));
    // Neither can tell: what failed first is what there is to mend.
    const BOTH_FAILED: &str = r#"keyward_fallback_failures_total{issuer="main"}"#;
    assert_eq!(running.metric(BOTH_FAILED).await, Some(0.0));
    provider.is(Mood::Status(500, 0));
    assert_eq!(running.ask_with(&token(3)).await.reason(), Some("keys_unavailable"));
    assert_eq!(running.metric(BOTH_FAILED).await, Some(1.0));
    let running = folder.start(&by("introspection_then_key_set", &provider, REVOCATION)).await;
    assert_eq!(running.ask_with(&token(3)).await.reason(), Some("introspection_unavailable"));
    assert_eq!(running.metric(BOTH_FAILED).await, Some(1.0));
}

#[tokio::test]
async fn a_fallback_holds_where_and_for_whom_it_was_allowed() {
    let folder = folder();
    let provider = Provider::start().await;
    provider.is(Mood::Status(500, 0));
    let rest = format!(
        "{REVOCATION}younger_than = \"10m\"\nroutes = [\"read\"]\n[[route]]\nname = \"read\"\npaths = [\"/read/\"]\n\
         [[route]]\nname = \"write\"\npaths = [\"/write/\"]\n"
    );
    let old = sign(&KEY, &with(claims(), "iat", now() - 601));
    let mut ageless = claims();
    ageless.as_object_mut().unwrap().remove("iat");
    for strategy in ["introspection_then_key_set", "both"] {
        let running = folder.start(&by(strategy, &provider, &rest)).await;
        for (path, token, status) in [
            ("/read/", &good_token(), 200),
            ("/write/", &good_token(), 503),
            ("/elsewhere", &good_token(), 503),
            ("/read/", &old, 503),
            ("/read/", &sign(&KEY, &ageless), 503),
        ] {
            let got = running.ask(path, &[("authorization", &bearer(token))]).await;
            assert_eq!(got.status, status, "{strategy} {path}");
            let reason = (status == 503).then_some("introspection_unavailable");
            assert_eq!(got.reason(), reason, "{strategy} {path}");
            let mark = if status == 200 { "unavailable" } else { "" };
            assert_eq!(got.header("x-keyward-fallback"), Some(mark), "{strategy} {path}");
        }
    }
}

#[tokio::test]
async fn a_route_may_be_decided_another_way() {
    let folder = folder();
    let provider = Provider::start().await;
    let routes = "[[route]]\npaths = [\"/both/\"]\nstrategy = \"both\"\n\
                  [[route]]\npaths = [\"/endpoint/\"]\nstrategy = \"introspection\"\n";
    let running = folder.start(&by("key_set", &provider, routes)).await;
    let (good, forged) = (good_token(), sign(&STRANGERS_KEY, &claims()));
    provider.knows(&forged, json!({}));
    for (path, token, reason) in [
        ("/", &good, None),
        ("/both/", &good, Some("inactive")),
        ("/endpoint/", &good, Some("inactive")),
        ("/", &forged, Some("invalid_signature")),
        ("/both/", &forged, Some("invalid_signature")),
        ("/endpoint/", &forged, None),
    ] {
        let got = running.ask(path, &[("authorization", &bearer(token))]).await;
        assert_eq!(got.reason(), reason, "{path}");
    }
}

#[tokio::test]
async fn an_opaque_token_goes_to_the_issuer_that_its_route_names() {
    let folder = folder();
    let (main, other) = (Provider::start().await, Provider::start().await);
    let second = format!(
        "[[issuer]]\nname = \"other\"\nissuer = \"{OTHER_ISSUER}\"\njwks_file = \"other.json\"\n{}",
        other.tables("")
    );
    let routes = "[[route]]\npaths = [\"/main/\"]\nopaque_tokens = \"main\"\n\
                  [[route]]\npaths = [\"/other/\"]\nopaque_tokens = \"other\"\n\
                  [[route]]\npaths = [\"/only-other/\"]\nissuers = [\"other\"]\n";
    let running = folder.start(&by("key_set", &main, &format!("{second}{routes}"))).await;
    main.knows("of-main", json!({}));
    other.knows("of-other", json!({}));
    for (path, token, reason) in [
        ("/main/", "of-main", None),
        ("/main/", "of-other", Some("inactive")),
        ("/other/", "of-main", Some("inactive")),
        ("/other/", "of-other", None),
        ("/only-other/", "of-other", None),
        // Nobody says which of both.
        ("/", "of-main", Some("malformed_token")),
        // What looks like a JWT and is none is nobody's to mend.
        ("/main/", "of.ma.in", Some("malformed_token")),
        ("/main/", "of main", Some("malformed_token")),
    ] {
        let got = running.ask(path, &[("authorization", &bearer(token))]).await;
        assert_eq!(got.reason(), reason, "{path} {token}");
    }
    let asked = (main.calls(), other.calls());
    assert_eq!(asked, (2, 2));
    // There is nothing to fall back to.
    main.is(Mood::Status(500, 0));
    let got = running.ask("/main/", &[("authorization", "Bearer unknown")]).await;
    assert_eq!((got.status, got.reason()), (503, Some("introspection_unavailable")));
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone() {
    let lines = Lines::capture();
    let folder = folder();
    let provider = Provider::start().await;
    let running = folder.start(&by("introspection", &provider, "")).await;
    let state =
        |state: &str| format!("keyward_introspection_breaker_state{{issuer=\"main\",state=\"{state}\"}}");
    assert_eq!(running.metric(&state("closed")).await, Some(1.0));
    provider.is(Mood::Status(500, 0));
    for number in 0..20 {
        refuses(&running, &token(number), "introspection_unavailable").await;
    }
    let calls = provider.calls();
    refuses(&running, &token(20), "introspection_circuit_open").await;
    assert_eq!(provider.calls(), calls);
    assert_eq!(
        (running.metric(&state("closed")).await, running.metric(&state("open")).await),
        (Some(0.0), Some(1.0))
    );
    let opened = "keyward_introspection_breaker_transitions_total{issuer=\"main\",to=\"open\"}";
    assert_eq!(running.metric(opened).await, Some(1.0));
    assert_eq!(lines.of("introspection_circuit_opened").len(), 1);
    // However many calls failed, they are told once.
    assert_eq!(lines.of("introspection_failed").len(), 1);
    let ready = running.operator("/readyz").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("no_introspection")));
    assert_eq!(
        ready.json()["issuers"][0]["introspection"],
        json!({ "breaker": "open", "credential": "usable", "failing": "unavailable" })
    );
    let shown = running.operator("/debug/jwks-cache").await.json();
    let shown = &shown[0]["introspection"];
    assert_eq!((&shown["breaker"], &shown["failures"]), (&json!("open"), &json!(20)));
    assert_eq!(shown["endpoint"], format!("http://{}/introspect", provider.address));
}

#[tokio::test]
async fn a_gateway_that_falls_back_is_degraded_and_serves() {
    let folder = folder();
    let provider = Provider::start().await;
    let running = folder.start(&by("introspection_then_key_set", &provider, REVOCATION)).await;
    running.until_started().await;
    provider.knows(&good_token(), json!({}));
    crate::support::until(async || running.readiness().await == (200, "ready".to_owned())).await;
    provider.is(Mood::Status(401, 0));
    assert_eq!(running.ask_with(&token(1)).await.header("x-keyward-fallback"), Some("credentials_rejected"));
    assert_eq!(running.readiness().await, (200, "degraded".to_owned()));
    assert_eq!(
        running.operator("/readyz").await.json()["issuers"][0]["introspection"]["credential"],
        "rejected"
    );
}

#[tokio::test]
async fn an_endpoint_that_asks_to_wait_is_not_asked() {
    let folder = folder();
    let provider = Provider::start().await;
    let running = folder.start(&by("introspection_then_key_set", &provider, REVOCATION)).await;
    provider.is(Mood::Status(429, 30));
    assert_eq!(running.ask_with(&token(1)).await.header("x-keyward-fallback"), Some("unavailable"));
    provider.is(Mood::Answers);
    assert_eq!(running.ask_with(&token(2)).await.header("x-keyward-fallback"), Some("asked_to_wait"));
    assert_eq!(provider.calls(), 1);
    assert_eq!(running.metric(&fallbacks("asked_to_wait")).await, Some(1.0));
}

#[tokio::test]
async fn what_comes_beyond_the_limit_does_not_queue() {
    let folder = folder();
    let provider = Provider::start().await;
    provider.is(Mood::Hangs);
    let text = by("introspection_then_key_set", &provider, REVOCATION);
    let running = folder.start(&text.replace(TIMEOUT, "concurrency = 1\ntimeout = \"5s\"")).await;
    let address = running.address;
    let held = tokio::spawn({
        let request = running.client.get(format!("http://{address}/"));
        let request = request.header("x-forwarded-uri", "/").header("x-forwarded-host", "a");
        request.header("x-forwarded-method", "GET").header("authorization", bearer(&token(1))).send()
    });
    crate::support::until(async || provider.calls() == 1).await;
    let got = running.ask_with(&token(2)).await;
    assert_eq!((got.status, got.header("x-keyward-fallback")), (200, Some("overloaded")));
    held.abort();
}

#[tokio::test]
async fn a_bearer_that_cannot_be_had_is_ours_to_mend() {
    let lines = Lines::capture();
    let folder = folder();
    let provider = Provider::start().await;
    provider.state().token_status = 500;
    let credential = format!(
        "[issuer.introspection.credential]\nmethod = \"bearer\"\ngrant = \"client_credentials\"\n\
         token_endpoint = \"http://{}/token\"\nclient_id = \"gateway\"\nsecret_file = \"client-secret\"\n",
        provider.address
    );
    let text = |strategy: &str, rest: &str| {
        let endpoint = provider.endpoint(TIMEOUT);
        config(&format!("strategy = \"{strategy}\"\n{endpoint}{credential}{rest}"))
    };
    let running = folder.start(&text("introspection_then_key_set", REVOCATION)).await;
    crate::support::until(async || !lines.of("credential_failed").is_empty()).await;
    let got = running.ask_with(&token(1)).await;
    assert_eq!((got.status, got.header("x-keyward-fallback")), (200, Some("credentials_unavailable")));
    let running = folder.start_unready(&text("introspection", "")).await;
    crate::support::until(async || lines.of("credential_failed").len() >= 2).await;
    refuses(&running, &token(1), "introspection_unavailable").await;
    assert_eq!(provider.calls(), 0);

    provider.state().token_status = 200;
    provider.state().authorization = "Bearer planted-bearer".to_owned();
    let known = token(3);
    provider.knows(&known, json!({}));
    let running = folder.start(&text("introspection", "")).await;
    crate::support::until(async || running.ask_with(&known).await.status == 200).await;
    let age = running.metric("keyward_credential_age_seconds{issuer=\"main\"}").await;
    assert!(age.is_some_and(|age| age < 60.0), "{age:?}");
    let since = running.metric("keyward_introspection_last_success_seconds{issuer=\"main\"}").await;
    assert!(since.is_some_and(|since| since < 60.0), "{since:?}");
    assert!(!lines.text().contains("planted"), "{}", lines.text());
}

#[tokio::test]
async fn a_signed_answer_needs_the_issuers_keys() {
    let lines = Lines::capture();
    let (folder, provider) = (folder(), Provider::start().await);
    let text = by("introspection", &provider, "").replace(TIMEOUT, "answers = \"signed\"");
    let running = folder.start(&text).await;
    let known = token(1);
    provider.knows(&known, json!({ "iss": crate::support::ISSUER }));
    // A plain one is none.
    refuses(&running, &known, "introspection_malformed").await;
    provider.is(Mood::Signs);
    assert_eq!(running.ask_with(&known).await.status, 200);
    assert_eq!(running.ask_with(&token(2)).await.reason(), Some("inactive"));
    // It is no failure of the endpoint's that nobody can check what it says.
    folder.write("keys.json", "no key set");
    let running = folder.start(&text).await;
    refuses(&running, &known, "keys_unavailable").await;
    let outcome = "keyward_introspection_calls_total{issuer=\"main\",outcome=\"answer_keys_unavailable\"}";
    assert_eq!(running.metric(outcome).await, Some(1.0));
    assert_eq!(lines.of("introspection_failed").last().unwrap()["cause"], "answer_keys_unavailable");
    for number in 2..30 {
        refuses(&running, &token(number), "keys_unavailable").await;
    }
}
