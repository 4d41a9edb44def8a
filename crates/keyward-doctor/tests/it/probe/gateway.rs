//! A gateway, by its admin listener.

use std::time::Duration;

use keyward_doctor::facts::{Ended, GatewayFacts};
use keyward_doctor::probe::{Target, look};
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use super::server::{Reply, Server};
use super::{Names, answer, means, short};

async fn seen(admin: &Url) -> GatewayFacts {
    let gateway = Some(admin.clone());
    let target = Target { gateway, since: Duration::from_secs(300), limits: short(), ..Target::default() };
    look(&target, &means(Names::default())).await.gateway.unwrap()
}

fn issuers() -> String {
    let key = json!({ "kid": "1", "kty": "EC", "algorithms": ["ES256"], "bits": 256, "thumbprint": null,
        "first_seen": "2026-11-21T17:00:00Z", "verdicts": 7, "expired_wrapper_verdicts": 0, "wrapper": null });
    let issuer = json!({ "name": "idp", "issuer": "https://idp.example", "state": "stale", "usable": true,
        "source": "fetched", "fetched_at": "2026-11-21T17:00:00Z", "age_seconds": 400,
        "usable_for_seconds": 3200, "next_refresh_seconds": null, "failures": 3, "failing": "timeout",
        "denied_kids": [], "wrapper_policy": "warn", "keys": [key], "skipped": [], "introspection": null });
    json!([issuer]).to_string()
}

#[tokio::test]
async fn a_gateway_is_asked_how_it_is_what_it_holds_and_what_it_saw() {
    let server = Server::start().await;
    let why = json!({ "status": "not_ready", "issuers": [] }).to_string();
    // It says to clients when to come again, which does not keep us from its other pages.
    server.set("/readyz", Reply::of("503 Service Unavailable", "retry-after: 5\r\n", &why));
    server.set("/debug/jwks-cache", Reply::json(&issuers()));
    let recorded = json!({ "version": "0.1.0", "up_seconds": 90, "since_seconds": 90,
        "verdicts": [{ "verdict": "reject", "reason": "expired", "count": 4 }], "later": true });
    server.set("/debug/recorder", Reply::json(&recorded.to_string()));
    let gateway = seen(&server.url("")).await;
    assert_eq!(gateway.readiness.as_deref(), Some("not_ready"));
    assert_eq!(answer(&gateway.reach.attempts[0]).status, 503);
    let issuer = &gateway.issuers.unwrap()[0];
    assert_eq!(
        (issuer.failures, issuer.failing.as_deref(), issuer.keys[0].verdicts),
        (3, Some("timeout"), 7)
    );
    let recorder = gateway.recorder.unwrap();
    assert_eq!((recorder.up_seconds, recorder.verdicts[0].count), (90, 4));
    let paths: Vec<_> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths.len(), 3);
    assert!(paths.contains(&"/debug/recorder?since=300&recent=0".to_owned()), "{paths:?}");
}

#[tokio::test]
async fn an_older_gateway_has_no_recorder_and_another_server_has_nothing() {
    let server = Server::start().await;
    server.set("/readyz", Reply::json(r#"{"status": "ready", "issuers": []}"#));
    server.set("/debug/jwks-cache", Reply::json(&issuers()));
    let gateway = seen(&server.url("")).await;
    assert_eq!((gateway.readiness.as_deref(), gateway.recorder), (Some("ready"), None));
    assert!(gateway.issuers.is_some());

    let other = Server::start().await;
    let gateway = seen(&other.url("")).await;
    assert_eq!((gateway.readiness, gateway.issuers, gateway.recorder), (None, None, None));
    assert_eq!(answer(&gateway.reach.attempts[0]).status, 404);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = seen(&format!("http://{address}").parse().unwrap()).await;
    assert_eq!(gateway.reach.attempts[0].ended, Ended::ConnectRefused);
    assert_eq!((gateway.readiness, gateway.issuers), (None, None));
}
