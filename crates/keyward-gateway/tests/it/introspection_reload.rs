//! Secrets that change while requests flow, strategies that change, and what was planted and must not show.

use serde_json::json;

use crate::logs::Lines;
use crate::provider::{Mood, Provider};
use crate::support::{Folder, KEY, Running, bearer, claims, config, good_token, sign, until, with};

const RELOADED: &str = "keyward_config_reloads_total{outcome=\"reloaded\"}";
const REFUSED: &str = "keyward_config_reloads_total{outcome=\"refused\"}";

/// `Authorization` of the client `gateway` with the secret `right`.
const RIGHT: &str = "Basic Z2F0ZXdheTpyaWdodA==";

fn watch(running: &mut Running) {
    let look_interval = std::time::Duration::from_millis(10);
    tokio::spawn(running.reloader.take().unwrap().look_every(look_interval).run());
}

#[tokio::test]
async fn a_secret_that_is_mended_counts_without_a_new_configuration() {
    let lines = Lines::capture();
    let (folder, provider) = (Folder::new(), Provider::start().await);
    folder.write_secret("client-secret", "planted-wrong");
    provider.state().authorization = RIGHT.to_owned();
    let text = config(&format!("strategy = \"introspection\"\n{}", provider.tables("")));
    let mut running = folder.start(&text).await;
    watch(&mut running);
    let token = good_token();
    provider.knows(&token, json!({}));
    let got = running.ask_with(&token).await;
    assert_eq!((got.status, got.reason()), (503, Some("introspection_credentials_rejected")));
    // Nobody shows it again and again.
    let calls = provider.calls();
    assert_eq!(running.ask_with(&token).await.reason(), Some("introspection_credentials_rejected"));
    assert_eq!(provider.calls(), calls);
    assert_eq!(
        running.operator("/debug/jwks-cache").await.json()[0]["introspection"]["credential"]["state"],
        "rejected"
    );

    folder.write_secret("client-secret", "right\n");
    until(async || running.ask_with(&token).await.status == 200).await;
    assert_eq!(lines.of("credential_rejected").len(), 1);
    assert_eq!((running.metric(RELOADED).await, running.metric(REFUSED).await), (Some(0.0), Some(0.0)));
    assert!(!lines.text().contains("planted"), "{}", lines.text());
}

#[tokio::test]
async fn a_configuration_whose_secret_is_missing_is_refused_and_waited_for() {
    let (folder, provider) = (Folder::new(), Provider::start().await);
    let mut running = folder.start(&config("")).await;
    watch(&mut running);
    let token = good_token();
    provider.state().authorization = RIGHT.to_owned();
    folder.write("keyward.toml", &config(&format!("strategy = \"both\"\n{}", provider.tables(""))));
    until(async || running.metric(REFUSED).await == Some(1.0)).await;
    assert_eq!(running.ask_with(&token).await.status, 200);
    folder.write_secret("client-secret", "right");
    until(async || running.ask_with(&token).await.reason() == Some("inactive")).await;
    assert_eq!(running.metric(RELOADED).await, Some(1.0));
}

#[tokio::test]
async fn a_strategy_changes_as_a_whole_and_what_is_remembered_stays() {
    let (folder, provider) = (Folder::new(), Provider::start().await);
    folder.write_secret("client-secret", "right");
    let tables = provider.tables("active_for = \"5m\"");
    let by = |strategy: &str, rest: &str| config(&format!("strategy = \"{strategy}\"\n{tables}{rest}"));
    let mut running = folder.start(&by("introspection", "")).await;
    let mut reloader = running.reloader.take().unwrap();
    let (known, unknown) = (good_token(), sign(&KEY, &with(claims(), "jti", "unknown")));
    provider.knows(&known, json!({}));
    assert_eq!(running.ask_with(&known).await.status, 200);
    assert_eq!(running.ask_with(&unknown).await.reason(), Some("inactive"));
    let calls = provider.calls();

    folder.write("keyward.toml", &by("key_set", ""));
    reloader.reload().unwrap();
    assert_eq!(running.ask_with(&unknown).await.status, 200);
    folder.write("keyward.toml", &by("both", ""));
    reloader.reload().unwrap();
    assert_eq!(running.ask_with(&known).await.status, 200);
    assert_eq!(running.ask_with(&unknown).await.reason(), Some("inactive"));
    assert_eq!(provider.calls(), calls);

    // A fallback that is taken away is gone, for tokens that it let in a moment ago, too.
    provider.is(Mood::Status(500, 0));
    let third = sign(&KEY, &with(claims(), "jti", "third"));
    let fallback = "[issuer.fallback]\ngives_up = [\"revocation\"]\n";
    folder.write("keyward.toml", &by("introspection_then_key_set", fallback));
    reloader.reload().unwrap();
    assert_eq!(running.ask_with(&third).await.status, 200);
    folder.write("keyward.toml", &by("introspection_then_key_set", ""));
    let error = reloader.reload().unwrap_err().to_string();
    assert!(error.contains("add [issuer.fallback] with gives_up = [\"revocation\"]"), "{error}");
    assert_eq!(running.ask_with(&third).await.status, 200);
    folder.write("keyward.toml", &by("introspection", ""));
    reloader.reload().unwrap();
    assert_eq!(running.ask_with(&third).await.reason(), Some("introspection_unavailable"));
}

#[tokio::test]
async fn nothing_of_a_token_a_secret_or_an_answer_shows() {
    let lines = Lines::capture();
    let (folder, provider) = (Folder::new(), Provider::start().await);
    folder.write_secret("client-secret", "planted-secret");
    let fallback = "[issuer.fallback]\ngives_up = [\"revocation\"]\nheader = \"x-keyward-fallback\"\n";
    let routes = "[[route]]\npaths = [\"/strict/\"]\nstrategy = \"introspection\"\n";
    let text = format!(
        "strategy = \"introspection_then_key_set\"\n{}{fallback}{routes}",
        provider.tables("timeout = \"200ms\"")
    );
    let mut running = folder.start(&config(&text)).await;
    let planted = with(claims(), "sub", "planted-subject");
    // Each time another one, so that nothing is remembered.
    let tokens = |number: usize| {
        let jwt = sign(&KEY, &with(planted.clone(), "jti", format!("planted-{number}")));
        [jwt, format!("planted-opaque-{number}"), "planted.malformed".to_owned()]
    };
    let mut sent = Vec::new();
    let moods = [
        Mood::Answers,
        Mood::Closes,
        Mood::Hangs,
        Mood::Html,
        Mood::Says("{\"active\": \"planted-text\"}"),
        Mood::Says("{\"active\": true, \"sub\": [\"planted-list\"]}"),
        Mood::Says("{\"active\": true, \"iss\": \"https://planted.example\"}"),
        Mood::Status(400, 0),
        Mood::Status(500, 0),
        Mood::Status(401, 0),
    ];
    for (number, mood) in moods.into_iter().enumerate() {
        provider.is(mood);
        for token in tokens(number) {
            // No more calls than the breaker lets fail.
            let path = if number % 2 == 0 { "/" } else { "/strict/" };
            running.ask(path, &[("authorization", &bearer(&token))]).await;
            sent.push(token);
        }
    }
    for form in
        ["token=planted-opaque&jti=planted-jti&sub=planted-subject&sid=planted-sid", "planted=planted"]
    {
        let request = running.client.post(format!("http://{}/cache/forget?planted", running.admin));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form).send().await.unwrap().text().await.unwrap();
        assert!(!answer.contains("planted"), "{answer}");
    }
    for page in ["/metrics", "/readyz", "/debug/jwks-cache"] {
        let body = running.operator(page).await.body;
        assert!(!body.contains("planted"), "{page}: {body}");
    }
    running.stop();
    running.ended().await;
    for event in
        ["fallback_verdict", "introspection_failed", "credential_rejected", "jwt_validation_undecided"]
    {
        assert!(!lines.of(event).is_empty(), "{event}");
    }
    for line in lines.text().lines() {
        assert!(!line.contains("planted"), "{line}");
        for part in sent.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 20) {
            assert!(!line.contains(&part[..20]), "{line}");
        }
    }
}
