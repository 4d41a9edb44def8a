//! A bearer of ours: obtained once for all, renewed ahead, dropped when it is refused, and never used past its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward::Reason;
use keyward::credentials::{
    Audience, BearerSettings, CallError, ClientSettings, CredentialSettings, Grant, KeyFileSettings,
};
use keyward::endpoint::EndpointPlace;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::credentials_methods::key;
use crate::credentials_provider::{Endpoint, INTROSPECT, Ours, Received, TOKEN, active, json as answer};
use crate::support::{Reply, pass, patiently, until};

fn grant(key: KeyFileSettings) -> Grant {
    Grant::JwtBearer { key, subject: None, audience: Audience::Issuer }
}

fn bearer(endpoint: &Endpoint) -> CredentialSettings {
    CredentialSettings::Bearer(Box::new(BearerSettings {
        token_endpoint: EndpointPlace::Url(endpoint.url(TOKEN)),
        grant: grant(key("zitadel.serviceaccount.json")),
        scope: None,
    }))
}

fn granted(number: usize) -> Reply {
    answer(200, json!({ "access_token": format!("t{number}"), "token_type": "Bearer", "expires_in": 3600 }))
}

/// A provider that numbers its tokens, and introspects as this says of the number.
fn numbering(introspect: impl Fn(usize) -> Reply + Send + 'static) -> impl Fn(&Received) -> Reply + Send {
    let issued = AtomicUsize::new(0);
    move |received| match received.path.as_str() {
        TOKEN => granted(issued.fetch_add(1, Ordering::Relaxed) + 1),
        _ => {
            let shown = received.header("authorization").unwrap();
            introspect(shown.strip_prefix("Bearer t").unwrap().parse().unwrap())
        }
    }
}

fn refused() -> Reply {
    answer(401, json!({ "error": "invalid_token", "error_description": "The token is not valid." }))
}

fn assert_rejected(error: &CallError) {
    assert!(matches!(error, CallError::CredentialsRejected { .. }), "{error:?}");
    assert_eq!(error.reason(), Reason::IntrospectionCredentialsRejected);
}

fn assert_unavailable(error: &CallError) {
    assert!(matches!(error, CallError::CredentialsUnavailable { .. }), "{error:?}");
    assert_eq!(error.reason(), Reason::IntrospectionUnavailable);
}

#[tokio::test]
async fn two_hundred_calls_wait_for_one_token() {
    let endpoint = Endpoint::start(numbering(|_| active())).await;
    let ours = Arc::new(Ours::new(&endpoint, bearer(&endpoint)));
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let ours = Arc::clone(&ours);
        calls.spawn(async move { ours.introspect().await.map(|answer| answer.status.as_u16()) });
    }
    for status in calls.join_all().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!((endpoint.received(TOKEN).len(), endpoint.received(INTROSPECT).len()), (1, 200));
    let status = ours.caller.status();
    assert_eq!((status.method, status.state, status.failures), ("bearer", "usable", 0));
    assert_eq!((status.age_seconds, status.usable_for_seconds), (Some(0), Some(3589)));
    assert_eq!(ours.events(), ["credential_obtained"]);
}

#[tokio::test]
async fn it_is_renewed_ahead_and_nobody_waits() {
    let endpoint = Endpoint::start(numbering(|_| active())).await;
    let ours = Ours::new(&endpoint, bearer(&endpoint));
    ours.seen("credential_obtained", 1).await;
    for renewal in 2..=4 {
        pass(Duration::from_secs(2881)).await;
        ours.seen("credential_obtained", renewal).await;
        ours.introspect().await.unwrap();
        let shown = endpoint.received(INTROSPECT).pop().unwrap().header("authorization").unwrap();
        assert_eq!(shown, format!("Bearer t{renewal}"));
    }
}

#[tokio::test]
async fn while_the_token_endpoint_is_down_it_serves_until_it_is_over_and_not_longer() {
    let endpoint = Endpoint::start(numbering(|_| active())).await;
    let ours = Ours::new(&endpoint, bearer(&endpoint));
    ours.seen("credential_obtained", 1).await;
    endpoint.answers(|received| match received.path.as_str() {
        TOKEN => Reply::status(503),
        _ => active(),
    });
    pass(Duration::from_secs(2881)).await;
    ours.seen("credential_failed", 1).await;
    ours.introspect().await.unwrap();
    assert_eq!(ours.caller.status().state, "usable");
    pass(Duration::from_secs(720)).await;
    let error = ours.introspect().await.unwrap_err();
    assert_unavailable(&error);
    assert_eq!(endpoint.received(INTROSPECT).len(), 1);
    let status = ours.caller.status();
    assert_eq!((status.state, status.usable_for_seconds), ("unavailable", Some(0)));
    assert!(status.last_error.unwrap().contains("503"));
    endpoint.answers(numbering(|_| active()));
    pass(Duration::from_secs(61)).await;
    ours.seen("credential_obtained", 2).await;
    ours.introspect().await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_taken_back_is_obtained_again_and_no_call_fails() {
    let endpoint = Endpoint::start(numbering(|number| if number < 2 { refused() } else { active() })).await;
    let ours = Arc::new(Ours::new(&endpoint, bearer(&endpoint)));
    ours.seen("credential_obtained", 1).await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let ours = Arc::clone(&ours);
        calls.spawn(async move { ours.introspect().await.map(|answer| answer.status.as_u16()) });
    }
    for status in calls.join_all().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(endpoint.received(TOKEN).len(), 2);
    assert_eq!(ours.events(), ["credential_obtained", "credential_dropped", "credential_obtained"]);
}

#[tokio::test]
async fn a_second_refusal_is_ours_to_mend_and_backs_off() {
    for said in [
        refused(),
        Reply::status(401),
        answer(403, json!({})),
        answer(400, json!({ "error": "invalid_client" })),
    ] {
        let endpoint = Endpoint::start(numbering(move |_| said.clone())).await;
        let ours = Ours::new(&endpoint, bearer(&endpoint));
        assert_rejected(&ours.introspect().await.unwrap_err());
        assert_eq!((endpoint.received(TOKEN).len(), endpoint.received(INTROSPECT).len()), (2, 2));
        assert_eq!(
            ours.events(),
            ["credential_obtained", "credential_dropped", "credential_obtained", "credential_rejected"]
        );
        // Nobody asks meanwhile.
        for _ in 0..50 {
            assert_rejected(&ours.introspect().await.unwrap_err());
        }
        assert_eq!((endpoint.received(TOKEN).len(), endpoint.received(INTROSPECT).len()), (2, 2));
        let status = ours.caller.status();
        assert_eq!((status.state, status.rejections), ("rejected", 1));
        assert!(status.last_error.is_some());
        // An hour of it is some sixty attempts, not a thousand.
        for attempt in 3..12 {
            pass(Duration::from_secs(60)).await;
            endpoint.hit(TOKEN, attempt).await;
            ours.seen("credential_obtained", attempt).await;
            assert_rejected(&ours.introspect().await.unwrap_err());
            assert_rejected(&ours.introspect().await.unwrap_err());
            assert_eq!(
                (endpoint.received(TOKEN).len(), endpoint.received(INTROSPECT).len()),
                (attempt, attempt)
            );
        }
        // It is mended.
        endpoint.answers(numbering(|_| active()));
        pass(Duration::from_secs(61)).await;
        ours.seen("credential_obtained", 12).await;
        ours.introspect().await.unwrap();
        ours.seen("credential_accepted", 1).await;
        let status = ours.caller.status();
        assert_eq!((status.state, status.rejections, status.last_error), ("usable", 0, None));
    }
}

#[tokio::test]
async fn what_a_failing_provider_answers_about_a_token_is_no_refusal_of_ours() {
    for status in [200, 400, 404, 429, 500, 502, 503] {
        let endpoint =
            Endpoint::start(numbering(move |_| answer(status, json!({ "error": "invalid_request" })))).await;
        let ours = Ours::new(&endpoint, bearer(&endpoint));
        assert_eq!(ours.introspect().await.unwrap().status.as_u16(), status);
        assert_eq!(ours.events(), ["credential_obtained"]);
    }
}

/// What comes of a token endpoint that answers so.
async fn comes_of(reply: Reply) -> (Ours, CallError) {
    let endpoint = Endpoint::start(move |_| reply.clone()).await;
    let ours = Ours::new(&endpoint, bearer(&endpoint));
    let error = ours.introspect().await.unwrap_err();
    assert!(endpoint.received(INTROSPECT).is_empty());
    (ours, error)
}

#[tokio::test]
async fn a_provider_that_fails_is_told_apart_from_one_that_refuses_us() {
    for (status, error, refuses) in [
        // A1, as it was answered for weeks.
        (500, json!({ "error": "server_error", "error_description": "Errors.Internal" }), false),
        (503, json!({ "error": "temporarily_unavailable" }), false),
        (429, json!({ "error": "invalid_request" }), false),
        (500, json!({ "error": "invalid_client" }), false),
        (400, json!({ "error": "invalid_client", "error_description": "client not found" }), true),
        (400, json!({ "error": "invalid_grant" }), true),
        (400, json!({ "error": "unauthorized_client" }), true),
        (400, json!({ "error": "unsupported_grant_type" }), true),
        (400, json!({ "error": "invalid_scope" }), true),
        (401, json!({ "error": "something new" }), true),
        (403, json!([]), true),
        (404, json!({}), false),
    ] {
        let (ours, unavailable) = comes_of(answer(status, error.clone())).await;
        if refuses {
            assert_rejected(&unavailable);
        } else {
            assert_unavailable(&unavailable);
        }
        assert_eq!(
            ours.events(),
            [if refuses { "credential_refused" } else { "credential_failed" }],
            "{error}"
        );
        let said = ours.caller.status().last_error.unwrap();
        assert!(said.contains(&status.to_string()), "{said}");
        for word in ["error", "error_description"] {
            let word = error.get(word).and_then(Value::as_str).unwrap_or_default();
            assert!(word == "something new" || said.contains(word), "{said}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_grant_grants_nothing() {
    let good = json!({ "access_token": "t1", "token_type": "Bearer", "expires_in": 3600 });
    let but = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        answer(200, body)
    };
    let html = "<html><body>Sign in</body></html>";
    let typed = |media_type: &str, body: &str| {
        Reply::Whole(200, format!("Content-Type: {media_type}\r\n"), body.as_bytes().to_vec())
    };
    let twice = r#"{"access_token":"t1","access_token":"t2","token_type":"Bearer"}"#;
    for (reply, label) in [
        (typed("text/html", html), "malformed"),
        (typed("application/json", html), "malformed"),
        (typed("text/plain", &good.to_string()), "malformed"),
        (Reply::ok(good.to_string()), "malformed"),
        (typed("application/json", "[\"t1\",\"Bearer\",3600]"), "malformed"),
        (typed("application/json", twice), "malformed"),
        (typed("application/json", ""), "malformed"),
        (but("access_token", json!(null)), "malformed"),
        (but("access_token", json!("")), "malformed"),
        (but("access_token", json!("a b")), "malformed"),
        (but("access_token", json!("a\r\nX-Injected: 1")), "malformed"),
        (but("access_token", json!("x".repeat(16 * 1024 + 1))), "malformed"),
        (but("access_token", json!(17)), "malformed"),
        (but("token_type", json!("mac")), "malformed"),
        (but("token_type", json!(null)), "malformed"),
        (but("expires_in", json!("3600")), "malformed"),
        (but("expires_in", json!(-1)), "malformed"),
        (but("expires_in", json!(0)), "malformed"),
        (but("expires_in", json!(1.5)), "malformed"),
        (but("padding", json!("x".repeat(70_000))), "64 KiB"),
        (Reply::redirect("https://idp.example/token"), "redirect"),
        (Reply::redirect("/token2"), "redirect"),
        (answer(201, good.clone()), "201"),
        (Reply::Cut(good.to_string().into_bytes()), "connection"),
    ] {
        let (ours, error) = comes_of(reply.clone()).await;
        assert_unavailable(&error);
        assert_eq!(ours.events(), ["credential_failed"]);
        let said = ours.caller.status().last_error.unwrap();
        let label = label.replace("64 KiB", "65536");
        assert!(said.contains(&label) && !said.contains("Sign in") && !said.contains("t1"), "{said}");
    }
    for good in [
        but("expires_in", json!(null)),
        but("expires_in", json!(u64::MAX)),
        but("token_type", json!("bEARER")),
    ] {
        let endpoint = Endpoint::start(move |received| match received.path.as_str() {
            TOKEN => good.clone(),
            _ => active(),
        })
        .await;
        Ours::new(&endpoint, bearer(&endpoint)).introspect().await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_for_a_token_waits_no_longer_than_its_call_may_take() {
    let endpoint = Endpoint::start(|_| Reply::Hang).await;
    let ours = Arc::new(Ours::new(&endpoint, bearer(&endpoint)));
    let waiting = Arc::clone(&ours);
    let waiting = tokio::spawn(async move { waiting.introspect().await });
    endpoint.hit(TOKEN, 1).await;
    pass(Duration::from_millis(2001)).await;
    assert_unavailable(&patiently(waiting).await.unwrap().unwrap_err());
    // The request itself has five seconds; after it nobody waits for the next.
    pass(Duration::from_secs(4)).await;
    ours.seen("credential_failed", 1).await;
    let before = ours.clock.wall();
    for _ in 0..20 {
        assert_unavailable(&ours.introspect().await.unwrap_err());
    }
    assert_eq!(ours.clock.wall(), before);
    assert!(ours.caller.status().last_error.unwrap().contains("within the time"));
}

#[tokio::test]
async fn a_provider_is_left_alone_for_as_long_as_it_asks() {
    let endpoint = Endpoint::start(|_| Reply::with_header(503, "Retry-After: 120")).await;
    let ours = Ours::new(&endpoint, bearer(&endpoint));
    ours.seen("credential_failed", 1).await;
    let CallError::CredentialsUnavailable { retry_in } = ours.introspect().await.unwrap_err() else {
        panic!("something else");
    };
    assert!((119..=120).contains(&retry_in.as_secs()), "{retry_in:?}");
    pass(Duration::from_secs(119)).await;
    assert_eq!(endpoint.received(TOKEN).len(), 1);
    pass(Duration::from_secs(2)).await;
    endpoint.hit(TOKEN, 2).await;
}

#[tokio::test]
async fn a_dropped_caller_asks_no_more() {
    let endpoint = Endpoint::start(|_| Reply::status(500)).await;
    let ours = Ours::new(&endpoint, bearer(&endpoint));
    ours.seen("credential_failed", 1).await;
    drop(ours);
    let asked = endpoint.received(TOKEN).len();
    pass(Duration::from_secs(600)).await;
    tokio::task::yield_now().await;
    assert_eq!(endpoint.received(TOKEN).len(), asked);
}

#[tokio::test]
async fn a_new_key_is_used_at_once_and_the_old_token_serves_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    let text = std::fs::read_to_string(key("zitadel.serviceaccount.json").path).unwrap();
    std::fs::write(&path, &text).unwrap();
    let endpoint = Endpoint::start(numbering(|_| active())).await;
    let settings = BearerSettings {
        token_endpoint: EndpointPlace::Url(endpoint.url(TOKEN)),
        grant: grant(KeyFileSettings::new(&path)),
        scope: None,
    };
    let ours = Ours::new(&endpoint, CredentialSettings::Bearer(Box::new(settings)));
    ours.seen("credential_obtained", 1).await;
    std::fs::write(&path, text.replace("\"301\"", "\"302\"")).unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_obtained", 2).await;
    let claims = |received: &Received| {
        let assertion = received.field("assertion").unwrap();
        let payload = assertion.split('.').nth(1).unwrap().to_owned();
        let octets = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
        serde_json::from_slice::<Value>(&octets).unwrap()
    };
    let subjects: Vec<_> =
        endpoint.received(TOKEN).iter().map(|asked| claims(asked)["sub"].clone()).collect();
    assert_eq!(subjects, ["301", "302"]);
    // One of the wrong kind changes nothing.
    std::fs::copy(key("zitadel.application.json").path, &path).unwrap();
    pass(Duration::from_secs(3)).await;
    ours.seen("credential_reload_refused", 1).await;
    ours.introspect().await.unwrap();
    until(|| ours.caller.status().state == "usable").await;
    assert_eq!(endpoint.received(TOKEN).len(), 2);
}

#[tokio::test]
async fn a_token_endpoint_elsewhere_is_not_trusted_because_a_document_names_it() {
    let endpoint = Endpoint::start(numbering(|_| active())).await;
    let (issuer, elsewhere) = (endpoint.issuer(), endpoint.issuer().replace("127.0.0.1", "localhost"));
    endpoint.answers(move |received| match received.path.as_str() {
        "/.well-known/openid-configuration" => {
            answer(200, json!({ "issuer": issuer, "token_endpoint": format!("{elsewhere}{TOKEN}") }))
        }
        _ => active(),
    });
    let (_folder, secret_file) = crate::credentials_methods::file("secret");
    let client = ClientSettings::ClientSecretPost { client_id: "client".to_owned(), secret_file };
    let settings = BearerSettings {
        token_endpoint: EndpointPlace::Discovery,
        grant: Grant::ClientCredentials(client),
        scope: None,
    };
    let ours = Ours::new(&endpoint, CredentialSettings::Bearer(Box::new(settings)));
    ours.seen("credential_failed", 1).await;
    assert!(endpoint.received(TOKEN).is_empty());
    assert!(ours.caller.status().last_error.unwrap().contains("another host"));
}
