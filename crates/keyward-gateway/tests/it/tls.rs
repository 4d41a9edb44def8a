//! TLS on our own listeners, as clients of every kind meet it.

use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;

use crate::logs::Lines;
use crate::pki::{Authority, Certified, Client};
use crate::support::{Folder, Raw, Running, config, config_with, good_token, until};

pub(crate) const TLS: &str = "[gateway.tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls.key\"\n";

pub(crate) const ASKS: &str = "client_ca_files = [\"clients.pem\"]\nclient_certificate = ";

const SOON: Duration = Duration::from_millis(1500);

/// A folder with a certificate of ours by the one authority, and another authority for clients.
pub(crate) fn folder(servers: &Authority, clients: &Authority) -> Folder {
    let folder = Folder::new();
    certify(&folder, &servers.server());
    folder.write("clients.pem", &clients.pem());
    folder
}

pub(crate) fn certify(folder: &Folder, certified: &Certified) {
    folder.write("tls.pem", &certified.pem());
    folder.write_secret("tls.key", &certified.key_pem());
}

pub(crate) fn good_request() -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", good_token())
}

async fn handshakes(running: &Running, listener: &str, outcome: &str) -> f64 {
    let sample = format!("keyward_tls_handshakes_total{{listener=\"{listener}\",outcome=\"{outcome}\"}}");
    running.metric(&sample).await.unwrap()
}

#[tokio::test]
async fn a_listener_speaks_http_1_1_in_tls_1_2_and_1_3() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = folder(&servers, &clients);
    let running = folder.start(&(config("") + TLS)).await;
    for version in [&TLS12, &TLS13] {
        let client = Client::speaking(&servers, None, &[version]);
        let mut raw = client.connect(running.address).await.unwrap();
        assert_eq!(raw.stream.get_ref().1.protocol_version(), Some(version.version));
        for _ in 0..3 {
            raw.send(good_request()).await;
            assert_eq!(raw.answer().await.unwrap().0, 200);
        }
    }
    assert_eq!(handshakes(&running, "gateway", "completed").await, 2.0);
    // Nobody asked for a certificate; one that is there anyway is nobody's matter.
    let client = Client::new(&servers, Some(&clients.client("alice")));
    assert_eq!(client.ask(running.address, &good_request()).await, Some(200));
}

#[tokio::test]
async fn http_without_tls_gets_no_answer_where_tls_is_spoken() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let running = folder.start(&(config("") + TLS)).await;
    let mut raw = running.connect().await;
    raw.send(good_request()).await;
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut raw.stream, &mut said).await;
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    until(async || handshakes(&running, "gateway", "failed").await == 1.0).await;
    // Nor TLS where it is not.
    let plain = folder.start(&config("")).await;
    assert!(Client::new(&servers, None).connect(plain.address).await.is_err());
    drop(running.connect().await);
    until(async || handshakes(&running, "gateway", "closed").await == 1.0).await;
}

#[tokio::test]
async fn a_certificate_is_needed_where_it_is_required_and_verified_wherever_it_is_asked_for() {
    let (servers, clients, others) =
        (Authority::new("servers"), Authority::new("clients"), Authority::new("others"));
    let folder = folder(&servers, &clients);
    let alice = clients.client("alice");
    let shown = [
        (None, [Some(200), None]),
        (Some(&alice), [Some(200), Some(200)]),
        (Some(&others.client("alice")), [None, None]),
        (Some(&clients.client_until("alice", 2020)), [None, None]),
        // A server's certificate is no client's.
        (Some(&clients.server()), [None, None]),
    ];
    for (place, asked) in ["optional", "required"].into_iter().enumerate() {
        let running = folder.start(&format!("{}{TLS}{ASKS}\"{asked}\"", config(""))).await;
        for versions in [&[&TLS12][..], &[&TLS13]] {
            for (number, (shows, statuses)) in shown.iter().enumerate() {
                let client = Client::speaking(&servers, *shows, versions);
                let status = client.ask(running.address, &good_request()).await;
                assert_eq!(status, statuses[place], "{asked} {versions:?} {number}");
            }
        }
        let failed = if place == 0 { 6.0 } else { 8.0 };
        until(async || handshakes(&running, "gateway", "failed").await == failed).await;
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_nobody() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let running = folder.start(&(config_with("head_timeout = \"2s\"", "") + TLS)).await;
    let mut hanging = Vec::new();
    for octets in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut raw = running.connect().await;
        raw.send(octets).await;
        hanging.push(raw);
    }
    let client = Client::new(&servers, None);
    assert_eq!(client.ask(running.address, &good_request()).await, Some(200));
    assert_eq!(handshakes(&running, "gateway", "timed_out").await, 0.0);
    // Asking all the time: an idle connection to the admin listener would be closed at the same moment.
    until(async || handshakes(&running, "gateway", "timed_out").await == 3.0).await;
    for mut raw in hanging {
        assert!(raw.is_closed().await);
    }
    until(async || running.metric("keyward_connections").await == Some(0.0)).await;
}

#[tokio::test]
async fn a_handshake_takes_a_place_of_the_connections() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let running = folder.start(&(config_with("connections = 1", "") + TLS)).await;
    let hanging = running.connect().await;
    until(async || running.metric("keyward_connections").await == Some(1.0)).await;
    let client = Client::new(&servers, None);
    let request = good_request();
    let mut waiting = std::pin::pin!(client.ask(running.address, &request));
    assert!(tokio::time::timeout(SOON / 5, &mut waiting).await.is_err(), "there is no place for it");
    drop(hanging);
    assert_eq!(waiting.await, Some(200));
}

#[tokio::test]
async fn the_shutdown_does_not_wait_for_handshakes() {
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    let mut running = folder.start(&(config("") + TLS)).await;
    let mut hanging = running.connect().await;
    let mut open = Client::new(&servers, None).connect(running.address).await.unwrap();
    open.send(good_request()).await;
    assert_eq!(open.answer().await.unwrap().0, 200);
    until(async || running.metric("keyward_connections").await == Some(2.0)).await;
    running.stop();
    tokio::time::timeout(SOON, running.ended()).await.expect("nothing is open any more");
    assert!(hanging.is_closed().await && open.is_closed().await);
}

#[tokio::test]
async fn operators_are_asked_for_certificates_of_their_own() {
    let (servers, operators) = (Authority::new("servers"), Authority::new("operators"));
    let folder = folder(&servers, &operators);
    let text = format!(
        "{}[gateway.admin_tls]\ncertificate_file = \"tls.pem\"\nkey_file = \"tls.key\"\n{ASKS}\"required\"",
        config("")
    );
    let running = folder.start_unready(&text).await;
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    let operator = Client::new(&servers, Some(&operators.client("root")));
    let mut raw = operator.connect(running.admin).await.unwrap();
    raw.send(request).await;
    let (status, _, metrics) = raw.answer().await.unwrap();
    assert_eq!(status, 200);
    assert!(
        metrics.contains("tls_handshakes_total{listener=\"admin\",outcome=\"completed\"} 1\n"),
        "{metrics}"
    );
    assert_eq!(Client::new(&servers, None).ask(running.admin, request).await, None);
    let mut plain = Raw::new(TcpStream::connect(running.admin).await.unwrap());
    plain.send(request).await;
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain.stream, &mut said).await;
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    // The other listener is what it was.
    let mut raw = running.connect().await;
    raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(raw.answer().await.unwrap().0, 401);
}

#[tokio::test]
async fn a_failed_handshake_is_logged_without_a_strangers_words() {
    let lines = Lines::capture();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let folder = folder(&servers, &clients);
    let running = folder.start(&format!("{}{TLS}{ASKS}\"required\"", config(""))).await;
    let planted = Authority::new("planted authority").client("planted client");
    let client = Client::new(&servers, Some(&planted));
    assert_eq!(client.ask(running.address, &good_request()).await, None);
    until(async || handshakes(&running, "gateway", "failed").await == 1.0).await;
    let failed = lines.of("tls_handshake_failed");
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["listener"], &failed[0]["peer"]), (&"gateway".into(), &"127.0.0.1".into()));
    assert!(failed[0]["message"].as_str().unwrap().contains("UnknownIssuer"), "{}", failed[0]);
    assert!(!lines.text().contains("planted"));
}

#[tokio::test]
async fn a_certificate_of_ours_that_is_over_soon_is_known_ahead() {
    let lines = Lines::capture();
    let servers = Authority::new("servers");
    let folder = folder(&servers, &servers);
    certify(&folder, &servers.server_until(2020));
    let running = folder.start(&(config("") + TLS)).await;
    assert!(lines.of("config_warning")[0]["message"].as_str().unwrap().contains("is over since"));
    let sample = "keyward_tls_certificate_not_after_seconds{listener=\"gateway\"}";
    assert_eq!(running.metric(sample).await, Some(1_577_836_800.0));
    assert_eq!(running.metric(&sample.replace("gateway", "admin")).await, None);
}
