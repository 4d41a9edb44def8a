//! A node over sockets: what it takes, what it refuses, and how it ends.

use std::time::Duration;

use keyward::clock::Clock as _;
use keyward_authority::entity::Realm;
use keyward_authority::operations;
use keyward_authority::storage::Actor;
use tokio::net::TcpStream;

use crate::node::{Running, until};

const SOON: Duration = Duration::from_millis(1500);

/// A form for the token endpoint of a realm that is not there.
fn post(length: usize) -> String {
    format!(
        "POST /realms/none/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

const GET: &str = "GET /realms/none/jwks HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn what_is_not_there_is_told_in_json() {
    let running = Running::start("").await;
    for path in
        ["/", "/realms", "/realms/main", "/realms/main/tokens", "/admin", "/%ff", "/realms/%ff/jwks", "/a%00"]
    {
        let answer = running.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await.unwrap();
        assert_eq!((answer.status, &answer.json()["error"]), (404, &"not_found".into()), "{path}");
        assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
        assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
    }
    let counted = running.metric("keyward_authority_requests_total{endpoint=\"none\",status=\"404\"}").await;
    assert!(counted.is_some_and(|count| count >= 5.0), "{counted:?}");
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_takes_nobody_down() {
    let running = Running::start("").await;
    for junk in [
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET  /  /\r\n\r\n",
        "\r\n\r\n\r\n junk\r\n\r\n",
    ] {
        let status = running.ask(junk).await.map(|answer| answer.status);
        assert!(status.is_none_or(|status| status == 400), "{junk:?}: {status:?}");
    }
    assert_eq!(running.ask(GET).await.unwrap().status, 404);
}

#[tokio::test]
async fn a_huge_body_is_refused_before_it_is_read() {
    let running = Running::start("").await;
    let mut raw = running.connect().await;
    raw.send(post(10_000_000)).await;
    raw.send(vec![b'a'; 50_000]).await;
    let answer = raw.answer().await.unwrap();
    assert_eq!((answer.status, &answer.json()["error"]), (413, &"invalid_request".into()));
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    let refused = "keyward_authority_refusals_total{realm=\"\",endpoint=\"token\",cause=\"body_too_large\"}";
    assert_eq!(running.metric(refused).await, Some(1.0));
}

#[tokio::test]
async fn a_huge_body_in_pieces_is_refused_as_well() {
    let running = Running::start("").await;
    let mut raw = running.connect().await;
    raw.send("POST /realms/none/token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..64 {
        if raw.try_send(format!("400\r\n{}\r\n", "a".repeat(0x400))).await.is_err() {
            break;
        }
    }
    assert_eq!(raw.answer().await.unwrap().status, 413);
}

#[tokio::test]
async fn a_huge_head_is_refused() {
    let running = Running::start("head_octets = 8192").await;
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(9000));
    assert_eq!(running.ask(&request).await.unwrap().status, 431);
}

#[tokio::test]
async fn a_slow_body_is_given_up_on() {
    let running = Running::start("body_timeout = \"100ms\"").await;
    let mut raw = running.connect().await;
    raw.send(post(100)).await;
    raw.send("grant_type=").await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(raw.is_closed().await);
}

#[tokio::test]
async fn a_slow_head_is_given_up_on() {
    let running = Running::start("head_timeout = \"100ms\"").await;
    let (mut slow, mut silent) = (running.connect().await, running.connect().await);
    slow.send("GET / HT").await;
    let status = slow.answer().await.map(|answer| answer.status);
    assert!(status.is_none_or(|status| status == 408), "{status:?}");
    assert!(silent.is_closed().await);
}

#[tokio::test]
async fn there_are_no_more_connections_than_it_may_have() {
    let running = Running::start("connections = 1").await;
    let first = running.connect().await;
    until(async || running.metric("keyward_authority_connections").await == Some(1.0)).await;
    let mut second = running.connect().await;
    second.send(GET).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), second.answer()).await.is_err());
    drop(first);
    assert_eq!(second.answer().await.unwrap().status, 404);
}

#[tokio::test]
async fn an_operator_sees_how_it_fares() {
    let running = Running::start("").await;
    assert_eq!(running.operator("/healthz").await.unwrap().body, "ok\n");
    assert_eq!(running.readiness().await, (200, "ready".to_owned()));
    assert_eq!(running.operator("/nothing").await.unwrap().status, 404);
    let metrics = running.operator("/metrics").await.unwrap();
    assert!(metrics.head.contains("openmetrics-text"), "{}", metrics.head);
    assert!(metrics.body.contains("keyward_authority_log_position 0\n"), "{}", metrics.body);
    // What is for operators is not for clients.
    assert_eq!(running.ask("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap().status, 404);
}

/// Whether the system refuses a connection.
async fn is_refused(running: &Running) -> bool {
    TcpStream::connect(running.address).await.is_err()
}

#[tokio::test]
async fn open_requests_end_while_new_connections_are_refused() {
    let mut running = Running::start("").await;
    let mut open = running.connect().await;
    open.send(post(7)).await;
    open.send("a=1").await;
    until(async || running.metric("keyward_authority_connections").await == Some(1.0)).await;
    running.stop();
    until(async || is_refused(&running).await).await;
    assert_eq!(running.readiness().await, (503, "draining".to_owned()));
    assert_eq!(running.operator("/healthz").await.unwrap().status, 200);
    open.send("&b=2").await;
    let answer = open.answer().await.unwrap();
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    tokio::time::timeout(SOON, running.ended()).await.expect("nothing is open any more");
    assert!(TcpStream::connect(running.admin).await.is_err());
}

#[tokio::test]
async fn readiness_falls_before_the_listener_closes() {
    let mut running = Running::start("drain_grace = \"60s\"").await;
    running.stop();
    until(async || running.readiness().await == (503, "draining".to_owned())).await;
    // Whoever has not noticed yet is answered as ever.
    assert_eq!(running.ask(GET).await.unwrap().status, 404);
}

#[tokio::test]
async fn half_a_request_holds_the_end_up_no_longer_than_it_may() {
    let mut running = Running::start("drain_timeout = \"200ms\"").await;
    let mut half = running.connect().await;
    half.send(post(100)).await;
    until(async || running.metric("keyward_authority_connections").await == Some(1.0)).await;
    running.stop();
    tokio::time::timeout(SOON, running.ended()).await.expect("the drain timeout bounds it");
}

#[tokio::test]
async fn what_it_had_open_is_free_again_once_it_has_ended() {
    let mut running = Running::start("").await;
    running.stop();
    running.ended().await;
    let folder = std::mem::replace(&mut running.folder, tempfile::tempdir().unwrap());
    drop(running);
    Running::start_in(folder, "", "").await;
}

#[tokio::test]
async fn a_node_whose_database_is_gone_is_not_ready_and_says_why() {
    let running = Running::start("").await;
    running.authority.view().store().clone().close().await;
    until(async || running.readiness().await == (503, "storage_unavailable".to_owned())).await;
    let answer = running.operator("/readyz").await.unwrap().json();
    assert!(answer["why"].as_str().is_some_and(|why| !why.is_empty()), "{answer}");
    assert_eq!(running.operator("/healthz").await.unwrap().status, 200);
    let metrics = running.operator("/metrics").await.unwrap();
    assert_eq!(metrics.status, 200);
    assert!(!metrics.body.contains("keyward_authority_log_behind{"), "{}", metrics.body);
}

#[tokio::test]
async fn what_is_due_to_each_realms_keys_can_be_watched() {
    let running = Running::start("").await;
    let actor = Actor("test".to_owned());
    operations::create(&running.authority, &actor, "main", Realm::new("main")).await.unwrap();
    let sample = |name: &str, state: &str| {
        format!("keyward_authority_{name}{{realm=\"main\",algorithm=\"ES256\",state=\"{state}\"}}")
    };
    until(async || running.metric(&sample("signing_keys", "active")).await == Some(1.0)).await;
    for state in ["passive", "published"] {
        assert_eq!(running.metric(&sample("signing_keys", state)).await, Some(0.0), "{state}");
        assert_eq!(running.metric(&sample("signing_key_next_step_seconds", state)).await, None, "{state}");
    }
    let now = keyward::clock::SystemClock::new().now().wall.0 as f64;
    let next = running.metric(&sample("signing_key_next_step_seconds", "active")).await.unwrap();
    assert!(next > now + 86_400.0, "{next}");
    let closed = "keyward_authority_signing_keys_closed{realm=\"main\"}";
    assert_eq!(running.metric(closed).await, Some(0.0));
    until(async || running.metric("keyward_authority_log_behind{}").await == Some(0.0)).await;
}

#[tokio::test]
async fn how_often_somebody_may_fail_is_a_setting() {
    let limits = "failures_per_client = 2\nfailures_per_client_period = \"1h\"";
    let running = Running::start(limits).await;
    let actor = Actor("test".to_owned());
    operations::create(&running.authority, &actor, "main", Realm::new("main")).await.unwrap();
    let form = "grant_type=client_credentials&client_id=nobody&client_secret=wrong";
    let request = format!(
        "POST /realms/main/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    for status in [401, 401, 401, 429] {
        assert_eq!(running.ask(&request).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_proof_needs_a_nonce_where_that_is_configured() {
    let dpop = "[authority.dpop]\nnonce_slot = \"5m\"\nalgorithms = [\"ES256\"]\n";
    let running = Running::start_in(tempfile::tempdir().unwrap(), "", dpop).await;
    let actor = Actor("test".to_owned());
    operations::create(&running.authority, &actor, "main", Realm::new("main")).await.unwrap();
    let now = keyward::clock::SystemClock::new().now();
    assert!(running.authority.tokens().dpop_nonce(now).is_some());
    let request = "GET /realms/main/.well-known/openid-configuration HTTP/1.1\r\nHost: a\r\n\r\n";
    let document = running.ask(request).await.unwrap().json();
    assert_eq!(document["dpop_signing_alg_values_supported"], serde_json::json!(["ES256"]));
}
