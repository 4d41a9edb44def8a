//! The end: open requests are answered, and nothing holds it up for longer than it may.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Folder, Running, config, config_with, good_token, until};

const SOON: Duration = Duration::from_millis(1500);

/// A gateway whose issuer's keys take a while: requests wait for them.
async fn with_slow_keys(limits: &str, takes: Duration) -> (Folder, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("jwks_uri = \"http://{}/keys\"", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                tokio::time::sleep(takes).await;
                let set = crate::support::key_set(&[&crate::support::KEY]);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{set}",
                    set.len()
                );
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await;
            });
        }
    });
    let folder = Folder::new();
    let running =
        folder.start_unready(&config_with(limits, "").replace("jwks_file = \"keys.json\"", &uri)).await;
    (folder, running)
}

fn good_request() -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", good_token())
}

/// Whether the system refuses a connection.
async fn is_refused(running: &Running) -> bool {
    TcpStream::connect(running.address).await.is_err()
}

#[tokio::test]
async fn open_requests_end_while_new_connections_are_refused() {
    let (_folder, mut running) = with_slow_keys("", Duration::from_millis(500)).await;
    let mut waiting = running.connect().await;
    waiting.send(good_request()).await;
    until(async || running.metric("keyward_connections").await == Some(1.0)).await;
    running.stop();
    until(async || is_refused(&running).await).await;
    assert_eq!(running.readiness().await, (503, "draining".to_owned()));
    assert_eq!(running.operator("/healthz").await.status, 200);
    let (status, head, _) = waiting.answer().await.unwrap();
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("connection: close"), "{head}");
    assert!(waiting.is_closed().await);
    tokio::time::timeout(SOON, running.ended()).await.expect("nothing is open any more");
    assert!(TcpStream::connect(running.admin).await.is_err());
}

#[tokio::test]
async fn a_load_balancer_has_time_to_notice() {
    let folder = Folder::new();
    let mut running = folder.start(&config_with("drain_grace = \"60s\"", "")).await;
    running.stop();
    until(async || running.readiness().await == (503, "draining".to_owned())).await;
    // Whoever has not noticed yet is answered as ever.
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
    // When the grace is over, the rest is as without it.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    until(async || is_refused(&running).await).await;
    tokio::time::timeout(SOON, running.ended()).await.expect("nothing is open any more");
}

#[tokio::test]
async fn idle_connections_hold_nothing_up() {
    let folder = Folder::new();
    let mut running = folder.start(&config("")).await;
    let mut used = running.connect().await;
    used.send(good_request()).await;
    assert_eq!(used.answer().await.unwrap().0, 200);
    let mut unused = running.connect().await;
    until(async || running.metric("keyward_connections").await == Some(2.0)).await;
    running.stop();
    tokio::time::timeout(SOON, running.ended()).await.expect("idle connections are closed");
    assert!(used.is_closed().await && unused.is_closed().await);
}

#[tokio::test]
async fn half_a_request_holds_it_up_no_longer_than_it_may() {
    let folder = Folder::new();
    let mut running = folder.start(&config_with("drain_timeout = \"300ms\"", "")).await;
    let mut half = running.connect().await;
    half.send("GET / HT").await;
    until(async || running.metric("keyward_connections").await == Some(1.0)).await;
    running.stop();
    tokio::time::timeout(SOON, running.ended()).await.expect("the drain timeout bounds it");
}

#[tokio::test]
async fn the_drain_timeout_bounds_open_requests() {
    let (_folder, mut running) = with_slow_keys("drain_timeout = \"100ms\"", Duration::from_secs(60)).await;
    let mut waiting = running.connect().await;
    waiting.send(good_request()).await;
    until(async || running.metric("keyward_connections").await == Some(1.0)).await;
    running.stop();
    tokio::time::timeout(SOON, running.ended()).await.expect("the drain timeout bounds it");
}

#[tokio::test]
async fn it_ends_while_it_has_no_place_for_another_connection() {
    let folder = Folder::new();
    let mut running = folder.start(&config_with("connections = 1", "")).await;
    let mut first = running.connect().await;
    first.send(good_request()).await;
    assert_eq!(first.answer().await.unwrap().0, 200);
    let _second = running.connect().await;
    running.stop();
    tokio::time::timeout(SOON, running.ended()).await.expect("it need not wait for a place");
}

#[tokio::test]
async fn two_gateways_do_not_share_an_address() {
    let folder = Folder::new();
    let running = folder.start(&config("")).await;
    let text = config("").replacen("127.0.0.1:0", &running.address.to_string(), 1);
    let error = keyward_gateway::Gateway::bind(folder.parse(&text).unwrap()).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot listen on {}: ", running.address)), "{error}");
}
