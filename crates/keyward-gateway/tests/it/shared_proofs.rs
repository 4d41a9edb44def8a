//! Gateways that remember used proofs together, in what speaks as Redis does: it dies, hangs, refuses and comes back.
//! `cargo xtask interop dpop/redis` asks a real one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::logs::Lines;
use crate::pki::Authority;
use crate::proof::Prover;
use crate::support::{Folder, Got, Running, config, good_token, until};

const URI: &str = "https://api.example/orders";
const PASSWORD: &str = "sEcret-of-redis";

/// What it does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Answers,
    /// It does what it is told, and its answer never comes.
    Hangs,
    Refuses,
}

/// So much of a Redis as is asked of one.
struct Redis {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
    tls: Option<TlsAcceptor>,
}

struct State {
    mood: Mood,
    /// What is set, to what, and for how many milliseconds.
    set: HashMap<String, (String, u64)>,
    connections: usize,
}

impl Redis {
    async fn start() -> Self {
        Self::listen(None).await
    }

    /// One that speaks TLS, with a certificate of this authority.
    async fn start_tls(authority: &Authority) -> Self {
        let server = authority.server();
        let key = PrivateKeyDer::try_from(server.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key);
        Self::listen(Some(TlsAcceptor::from(Arc::new(config.unwrap())))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { mood: Mood::Answers, set: HashMap::new(), connections: 0 };
        let state = Arc::new(Mutex::new(state));
        let task = tokio::spawn(serve(listener, Arc::clone(&state), tls.clone()));
        Self { address, state, task, tls }
    }

    /// It dies, and every connection with it.
    async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.task = tokio::spawn(serve(listener, Arc::clone(&self.state), self.tls.clone()));
    }

    fn is(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://gateway:{PASSWORD}@{}/\n", self.address)
    }

    fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.lock().unwrap().connections += 1;
        let (state, tls) = (Arc::clone(&state), tls.clone());
        connections.spawn(async move {
            match tls {
                None => answer(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<Mutex<State>>) {
    let (mut read, mut is_known) = (Vec::new(), false);
    while stream.read_buf(&mut read).await.is_ok_and(|octets| octets > 0) {
        let mut replies = String::new();
        while let Some(command) = command(&mut read) {
            let words: Vec<_> = command.iter().map(String::as_str).collect();
            let State { mood, set, .. } = &mut *state.lock().unwrap();
            let reply = match words[..] {
                ["AUTH", "gateway", PASSWORD] => {
                    is_known = true;
                    "+OK\r\n"
                }
                // As a proxy before it may: it repeats what it does not understand.
                ["AUTH", ..] => &format!("-ERR unknown command, with args beginning with: {:?}\r\n", words),
                _ if !is_known => "-NOAUTH Authentication required.\r\n",
                ["CLIENT", ..] => "+OK\r\n",
                _ if *mood == Mood::Refuses => "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
                ["SET", name, value, "NX", "PX", millis] => {
                    let is_new = !set.contains_key(name);
                    set.entry(name.to_owned()).or_insert((value.to_owned(), millis.parse().unwrap()));
                    match mood {
                        Mood::Hangs => "",
                        _ if is_new => "+OK\r\n",
                        _ => "$-1\r\n",
                    }
                }
                ["GET", name] => &set
                    .get(name)
                    .map_or("$-1\r\n".to_owned(), |(value, _)| format!("${}\r\n{value}\r\n", value.len())),
                _ => panic!("nobody asks a Redis for {words:?}"),
            };
            replies.push_str(reply);
        }
        if stream.write_all(replies.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Takes one command off what was read, where it is whole.
fn command(read: &mut Vec<u8>) -> Option<Vec<String>> {
    let text = String::from_utf8(read.clone()).unwrap();
    let mut lines = text.split_inclusive("\r\n");
    let count = lines.next()?.trim_end().strip_prefix('*')?.parse().unwrap();
    let mut words = Vec::new();
    for _ in 0..count {
        lines.next()?;
        words.push(lines.next()?.strip_suffix("\r\n")?.to_owned());
    }
    let rest: String = lines.collect();
    *read = rest.into_bytes();
    Some(words)
}

/// A folder with the secret and this address, and a configuration that names them.
fn configured(redis: &Redis, more: &str) -> (Folder, String) {
    let folder = Folder::new();
    folder.write_secret("shared", "thirty-two characters of a secret\n");
    folder.write_secret("redis-url", &redis.url());
    let dpop = "[gateway.dpop]\norigins = [\"https://api.example\"]\nsecret_file = \"shared\"\n";
    let memory = format!("shared_memory = {{ redis_url_file = \"redis-url\", timeout = \"2s\"{more} }}\n");
    (folder, config("") + dpop + &memory)
}

async fn ask(running: &Running, token: &str, proof: &str) -> Got {
    let authorization = format!("DPoP {token}");
    running.ask("/orders", &[("authorization", authorization.as_str()), ("dpop", proof)]).await
}

async fn asked(running: &Running, outcome: &str) -> Option<f64> {
    running.metric(&format!("keyward_dpop_shared_memory_requests_total{{outcome=\"{outcome}\"}}")).await
}

#[tokio::test]
async fn a_proof_passes_once_in_all_gateways_that_share_a_memory() {
    let redis = Redis::start().await;
    let (folder, text) = configured(&redis, "");
    let mut first = folder.start(&text).await;
    let second = folder.start(&text).await;
    // Nothing is connected before it is needed.
    assert_eq!(redis.connections(), 0);
    let client = Prover::new();
    let token = client.token();
    let proof = client.proof("GET", URI, &token);
    assert_eq!(ask(&first, &token, &proof).await.status, 200);
    for running in [&second, &first, &second] {
        let got = ask(running, &token, &proof).await;
        assert_eq!((got.status, got.reason()), (401, Some("proof_replayed")));
    }
    assert_eq!(ask(&second, &token, &client.proof("GET", URI, &token)).await.status, 200);
    assert_eq!((asked(&first, "remembered").await, asked(&second, "replayed").await), (Some(1.0), Some(1.0)));
    // A reload goes on with the connection.
    first.reloader.take().unwrap().reload().unwrap();
    assert_eq!(ask(&first, &token, &client.proof("GET", URI, &token)).await.status, 200);
    assert_eq!(redis.connections(), 2);
    let set = redis.state.lock().unwrap().set.clone();
    assert_eq!(set.len(), 3);
    for (name, (_, millis)) in set {
        assert!(name.starts_with("keyward:proof:") && name.len() == 14 + 43, "{name}");
        // For as long as it may be used, by clocks that differ.
        assert!((178_000..=180_000).contains(&millis), "{millis}");
    }
}

#[tokio::test]
async fn while_the_memory_is_away_proofs_are_503_and_everything_else_goes_on() {
    let mut redis = Redis::start().await;
    let (folder, text) = configured(&redis, "");
    let running = folder.start(&text).await;
    let client = Prover::new();
    let token = client.token();
    assert_eq!(ask(&running, &token, &client.proof("GET", URI, &token)).await.status, 200);
    redis.stop().await;
    let proof = client.proof("GET", URI, &token);
    for _ in 0..3 {
        let got = ask(&running, &token, &proof).await;
        assert_eq!((got.status, got.reason()), (503, Some("proof_memory_unavailable")));
        assert_eq!((got.header("retry-after"), got.header("www-authenticate")), (Some("5"), None));
    }
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
    assert_eq!(running.readiness().await.0, 200);
    assert_eq!(asked(&running, "unreachable").await, Some(3.0));
    redis.start_again().await;
    // What was refused was not used.
    until(async || ask(&running, &token, &proof).await.status == 200).await;
    assert_eq!(ask(&running, &token, &proof).await.reason(), Some("proof_replayed"));
    // One that comes back while nobody asks was never away.
    redis.stop().await;
    redis.start_again().await;
    assert_eq!(ask(&running, &token, &client.proof("GET", URI, &token)).await.status, 200);
}

#[tokio::test]
async fn a_gateway_starts_while_its_memory_is_down() {
    let mut redis = Redis::start().await;
    redis.stop().await;
    let (folder, text) = configured(&redis, "");
    let running = folder.start(&text).await;
    let client = Prover::new();
    let token = client.token();
    let got = ask(&running, &token, &client.proof("GET", URI, &token)).await;
    assert_eq!(got.reason(), Some("proof_memory_unavailable"));
    redis.start_again().await;
    until(async || ask(&running, &token, &client.proof("GET", URI, &token)).await.status == 200).await;
}

#[tokio::test]
async fn a_proof_whose_answer_was_lost_passes_where_it_comes_again_and_a_connection_that_hangs_is_given_up() {
    let redis = Redis::start().await;
    let (folder, text) = configured(&redis, "");
    let running = folder.start(&text.replace("2s", "100ms")).await;
    let other = folder.start(&text).await;
    let client = Prover::new();
    let token = client.token();
    redis.is(Mood::Hangs);
    let proof = client.proof("GET", URI, &token);
    assert_eq!(ask(&running, &token, &proof).await.reason(), Some("proof_memory_unavailable"));
    assert_eq!(asked(&running, "timed_out").await, Some(1.0));
    redis.is(Mood::Answers);
    assert_eq!(redis.state.lock().unwrap().set.len(), 1, "it knows the proof, and we do not know that");
    assert_eq!(ask(&other, &token, &proof).await.reason(), Some("proof_replayed"));
    assert_eq!(ask(&running, &token, &proof).await.status, 200);
    assert_eq!(ask(&running, &token, &proof).await.reason(), Some("proof_replayed"));
    assert_eq!(redis.connections(), 3);
}

#[tokio::test]
async fn a_memory_that_refuses_is_not_flooded_and_told_of_without_secrets() {
    let redis = Redis::start().await;
    let (folder, text) = configured(&redis, "");
    let lines = Lines::capture();
    let running = folder.start(&text).await;
    let client = Prover::new();
    let token = client.token();
    redis.is(Mood::Refuses);
    for _ in 0..20 {
        let got = ask(&running, &token, &client.proof("GET", URI, &token)).await;
        assert_eq!(got.reason(), Some("proof_memory_unavailable"));
    }
    assert_eq!(asked(&running, "refused").await, Some(20.0));
    assert!(redis.connections() < 20, "{}", redis.connections());
    // A password that it does not know, and that it repeats.
    folder.write_secret("redis-url", &redis.url().replace(PASSWORD, "sEcret-that-was-changed"));
    let other = folder.start(&text).await;
    let got = ask(&other, &token, &client.proof("GET", URI, &token)).await;
    assert_eq!(got.reason(), Some("proof_memory_unavailable"));
    assert_eq!(asked(&other, "refused").await, Some(1.0));
    let failed = lines.of("proof_memory_failed");
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(
        failed.iter().all(|line| line["cause"] == "refused" && line["when_down"] == "refuse"),
        "{failed:?}"
    );
    assert!(failed[0]["message"].as_str().unwrap().contains("OOM"), "{failed:?}");
    assert!(!lines.text().contains("sEcret"), "{}", lines.text());
}

#[tokio::test]
async fn by_tls_the_memory_must_show_a_certificate_of_an_anchor() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let redis = Redis::start_tls(&ours).await;
    let client = Prover::new();
    let token = client.token();
    let (folder, text) = configured(&redis, ", ca_file = \"ca.pem\"");
    folder.write("ca.pem", &theirs.pem());
    let mut running = folder.start(&text).await;
    let got = ask(&running, &token, &client.proof("GET", URI, &token)).await;
    assert_eq!(got.reason(), Some("proof_memory_unavailable"));
    assert_eq!(asked(&running, "unreachable").await, Some(1.0));
    // By a reload it is another memory.
    folder.write("ca.pem", &ours.pem());
    running.reloader.take().unwrap().reload().unwrap();
    assert_eq!(ask(&running, &token, &client.proof("GET", URI, &token)).await.status, 200);
    // The system's anchors do not do, and nobody is asked in the clear for it.
    folder.write_secret("redis-url", &redis.url());
    let other = folder.start(&text.replace(", ca_file = \"ca.pem\"", "")).await;
    let got = ask(&other, &token, &client.proof("GET", URI, &token)).await;
    assert_eq!(got.reason(), Some("proof_memory_unavailable"));
    assert_eq!(redis.state.lock().unwrap().set.len(), 1);
}

#[tokio::test]
async fn where_that_is_configured_gateways_go_on_by_themselves_and_count_it() {
    let mut redis = Redis::start().await;
    let (folder, text) = configured(&redis, ", when_down = \"local\"");
    let (first, second) = (folder.start(&text).await, folder.start(&text).await);
    redis.stop().await;
    let client = Prover::new();
    let token = client.token();
    let proof = client.proof("GET", URI, &token);
    for running in [&first, &second] {
        assert_eq!(ask(running, &token, &proof).await.status, 200);
        assert_eq!(ask(running, &token, &proof).await.reason(), Some("proof_replayed"));
        assert_eq!(running.metric("keyward_dpop_unshared_proofs_total").await, Some(1.0));
    }
}

#[test]
fn what_is_configured_in_vain_is_refused_and_shows_no_password() {
    let start = "[gateway.dpop]\norigins = [\"https://api.example\"]\n";
    let secret = "secret_file = \"shared\"\n";
    let memory = |rest: &str| format!("shared_memory = {{ redis_url_file = \"redis-url\"{rest} }}\n");
    let good = "redis://:sEcret@localhost/";
    for (text, url, line, why) in [
        (memory(""), good, 3, "have to share secret_file"),
        (secret.to_owned() + &memory(", timeout = \"0s\""), good, 4, "longer than zero"),
        (secret.to_owned() + &memory(", when_down = \"open\""), good, 4, "unknown variant `open`"),
        (secret.to_owned() + "shared_memory = {}\n", good, 4, "missing field `redis_url_file`"),
        (
            secret.to_owned() + &memory(""),
            "https://:sEcret@redis.example/",
            4,
            "this is no address of a Redis",
        ),
        (secret.to_owned() + &memory(""), "sEcret", 4, "this is no address of a Redis"),
        (
            secret.to_owned() + &memory(""),
            "redis://:sEcret@redis.example/db",
            4,
            "this is no address of a Redis",
        ),
        (secret.to_owned() + &memory(""), "rediss://:sEcret@redis.example/#insecure", 4, "always checked"),
        (secret.to_owned() + &memory(", ca_file = \"none\""), good, 4, "none cannot be read"),
        (
            secret.to_owned() + &memory(", ca_file = \"shared\""),
            "rediss://:sEcret@a/",
            4,
            "shared: these anchors",
        ),
        (secret.to_owned() + &memory(", ca_file = \"ca.pem\""), good, 4, "ca.pem: these anchors"),
    ] {
        let folder = Folder::new();
        folder.write_secret("shared", "thirty-two characters of a secret\n");
        folder.write_secret("redis-url", url);
        folder.write("ca.pem", &Authority::new("redis").pem());
        let error = folder.parse(&(config("") + start + &text)).unwrap_err().to_string();
        let line = config("").lines().count() + line;
        assert!(error.starts_with(&format!("{line}:")) && error.contains(why), "{error}\n{text}");
        assert!(!error.contains("sEcret"), "{error}");
    }
}

#[test]
fn an_address_that_others_can_read_or_that_leads_away_without_tls_is_warned_of() {
    let folder = Folder::new();
    folder.write_secret("shared", "thirty-two characters of a secret\n");
    let text = config("")
        + "[gateway.dpop]\norigins = [\"https://api.example\"]\nsecret_file = \"shared\"\n\
           shared_memory = { redis_url_file = \"redis-url\" }\n";
    let warnings = |folder: &Folder| {
        let config = folder.parse(&text).unwrap();
        let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
        assert!(!format!("{config:?}").contains("sEcret"), "{config:?}");
        warnings
    };
    for (url, count) in [
        ("redis://:sEcret@localhost/", 0),
        ("redis://:sEcret@127.0.0.1:6380/2", 0),
        ("redis://:sEcret@[::1]/", 0),
        ("rediss://:sEcret@redis.example/", 0),
        ("unix:///run/redis.sock?pass=sEcret", 0),
        ("redis://:sEcret@redis.example/", 1),
        ("redis://:sEcret@10.0.0.1/", 1),
    ] {
        folder.write_secret("redis-url", url);
        let warnings = warnings(&folder);
        assert_eq!(warnings.len(), count, "{url} {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("without TLS")), "{warnings:?}");
    }
    folder.write("redis-url", "redis://:sEcret@localhost/");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(folder.path("redis-url"), mode).unwrap();
    assert!(warnings(&folder)[0].contains("0644"));
}
