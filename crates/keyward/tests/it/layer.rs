//! The tower layer, and the example that is made of it.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, Request, StatusCode};
use keyward::{Reason, Requirement, RequirementId, Verified, Verifier, VerifyLayer};
use serde_json::Value;
use tower_service::Service;

use crate::support::{Bench, JWKS, KEYS, Provider, Reply, TestClock, discover, pass, patiently};

#[path = "../../examples/axum.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod example;

/// A bench whose requirement demands the scope `write`, and the layers without and with it.
async fn layers(provider: &Provider) -> (Bench, VerifyLayer, VerifyLayer) {
    let mut id = RequirementId::default();
    let bench = Bench::with(TestClock::new(), |mut builder| {
        id = builder.requirement(Requirement { scopes: vec!["write".into()], ..Requirement::default() });
        builder.issuer(discover(provider))
    });
    bench.seen("refreshed", 1).await;
    let layer = VerifyLayer::new(bench.verifier.clone());
    (bench, layer.clone(), layer.requirement(id))
}

fn app(layer: VerifyLayer) -> Router {
    let who = |Extension(token): Extension<Verified>| async move {
        format!("{} of {}", token.subject().unwrap(), token.issuer_name())
    };
    Router::new().route("/", get(who)).layer(layer)
}

async fn ask(app: &Router, values: &[&str]) -> (StatusCode, HeaderMap, String) {
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    for value in values {
        request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
    }
    let response = patiently(app.clone().call(request)).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 16).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// Asks, and holds what every refusal has in common.
async fn refused(app: &Router, values: &[&str], reason: Reason) -> (StatusCode, Option<String>) {
    let (status, headers, body) = ask(app, values).await;
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    let json: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["reason"], reason.label());
    for value in values {
        let token = value.trim_start_matches("Bearer").trim();
        let shown = format!("{headers:?} {body}");
        assert!(token.is_empty() || !shown.contains(token), "{shown}");
    }
    let undecided = status == StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(headers.contains_key(RETRY_AFTER), undecided);
    assert_eq!(headers.contains_key(WWW_AUTHENTICATE), !undecided);
    (status, headers.get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned()))
}

#[tokio::test]
async fn an_accepted_token_reaches_the_service_as_verified() {
    let provider = Provider::start(&KEYS[..1]).await;
    let (bench, layer, _) = layers(&provider).await;
    let bearer = format!("Bearer {}", bench.token(&KEYS[0], &provider.issuer()));
    let (status, headers, body) = ask(&app(layer), &[&bearer]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "alice of idp"));
    assert!(!headers.contains_key(WWW_AUTHENTICATE));
}

#[tokio::test]
async fn each_refusal_blames_the_right_party() {
    let provider = Provider::start(&KEYS[..1]).await;
    let (bench, layer, strict) = layers(&provider).await;
    let good = format!("Bearer {}", bench.token(&KEYS[0], &provider.issuer()));
    let app = app(layer);

    let (status, challenge) = refused(&app, &[], Reason::MissingToken).await;
    assert_eq!((status, challenge.as_deref()), (StatusCode::UNAUTHORIZED, Some("Bearer")));
    let (status, _) = refused(&app, &["Basic YWxpY2U6aHVudGVyMg=="], Reason::MissingToken).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    for (value, reason) in [
        ("Bearer", Reason::MalformedToken),
        ("Bearer ", Reason::MalformedToken),
        ("Bearer not.a.token", Reason::MalformedToken),
        (&good[..good.len() - 1], Reason::MalformedToken),
        (&format!("{good}, {good}"), Reason::MalformedToken),
        (&format!("Bearer {}", "x".repeat(17_000)), Reason::TokenTooLarge),
        (&format!("Bearer {}", bench.token(&KEYS[0], "https://other.example")), Reason::UnknownIssuer),
    ] {
        let (status, challenge) = refused(&app, &[value], reason).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge.unwrap().starts_with(r#"Bearer error="invalid_token", error_description=""#));
    }

    for values in [[good.as_str(), &good], [&good, "bearer x"]] {
        let (status, challenge) = refused(&app, &values, Reason::SeveralTokens).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(challenge.unwrap().contains(r#"error="invalid_request""#));
    }

    let (status, challenge) = refused(&self::app(strict), &[&good], Reason::InsufficientScope).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let challenge = challenge.unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.ends_with(r#"scope="write""#), "{challenge}");
}

#[tokio::test]
async fn to_be_unable_to_decide_is_503_and_no_challenge() {
    let provider = Provider::start(&KEYS[..1]).await;
    let (bench, layer, _) = layers(&provider).await;
    let app = app(layer);
    provider.set(JWKS, Reply::status(500));
    let unknown = format!("Bearer {}", bench.token(&KEYS[1], &provider.issuer()));
    let (status, _) = refused(&app, &[&unknown], Reason::KeysUnavailable).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    pass(Duration::from_secs(3601)).await;
    let good = format!("Bearer {}", bench.token(&KEYS[0], &provider.issuer()));
    let (status, _) = refused(&app, &[&good], Reason::KeysStaleLimit).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_example_does_what_it_says() {
    let provider = Provider::start(&KEYS[..1]).await;
    let verifier: Verifier = Verifier::builder().issuer(discover(&provider)).start().unwrap();
    let app = example::router(verifier.clone());
    let (status, ..) = ask(&app, &[]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let bearer = format!(
        "Bearer {}",
        crate::support::token(&KEYS[0], &provider.issuer(), verifier.clock().now().wall.0)
    );
    let (status, _, body) = ask(&app, &[&bearer]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "hello alice"));
    let request = Request::get("/healthz").body(Body::empty()).unwrap();
    assert_eq!(app.clone().call(request).await.unwrap().status(), StatusCode::OK);
}
