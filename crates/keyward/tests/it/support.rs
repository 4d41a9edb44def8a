//! What several topics need: a provider that is a real HTTP server and misbehaves on demand, tokens of it, a
//! clock that tests move, and a record of the events.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::event::{Event, Observer};
use keyward::{
    Algorithm, IssuerSettings, IssuerStatus, Reason, UnixTime, Verdict, Verifier, VerifierBuilder,
};
use keyward_jose::{LocalSigner, Signer, sign_compact};
use keyward_verify::{MonoTime, Now};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

pub(crate) const OPENID: &str = "/.well-known/openid-configuration";
pub(crate) const OAUTH: &str = "/.well-known/oauth-authorization-server";
pub(crate) const JWKS: &str = "/jwks";

/// How long a condition is waited for before the test fails. No test waits this long when it passes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Six Ed25519 keys: the quickest to sign and to verify.
pub(crate) static KEYS: LazyLock<Vec<LocalSigner>> =
    LazyLock::new(|| (0..6).map(|_| LocalSigner::generate(Algorithm::EdDsa, None).unwrap()).collect());

/// The public JWKs of these signers.
pub(crate) fn jwks<'a>(signers: impl IntoIterator<Item = &'a LocalSigner>) -> Vec<u8> {
    let keys: Vec<_> = signers.into_iter().map(|signer| signer.public_jwk().unwrap()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// What the provider answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Status, extra header lines, and a body with its length.
    Whole(u16, String, Vec<u8>),
    /// 200 and a body whose length is not said in advance.
    Chunked(Vec<u8>),
    /// 200 and half of the body, then the end of the connection.
    Cut(Vec<u8>),
    /// Nothing, and the connection stays open.
    Hang,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, String::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Whole(status, String::new(), b"an explanation that no log may show".to_vec())
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::with_header(302, &format!("Location: {to}"))
    }

    pub(crate) fn with_header(status: u16, header: &str) -> Self {
        Self::Whole(status, format!("{header}\r\n"), Vec::new())
    }
}

/// An identity provider at a port of its own. It goes down when it is dropped.
#[derive(Debug)]
pub(crate) struct Provider {
    origin: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    replies: Mutex<BTreeMap<String, Reply>>,
    hits: watch::Sender<BTreeMap<String, usize>>,
}

impl Provider {
    /// A provider whose discovery document and key set are in order.
    pub(crate) async fn start<'a>(signers: impl IntoIterator<Item = &'a LocalSigner>) -> Self {
        Self::listen(signers, None).await
    }

    /// The same, by https.
    pub(crate) async fn start_tls<'a>(
        signers: impl IntoIterator<Item = &'a LocalSigner>,
        tls: rustls::ServerConfig,
    ) -> Self {
        Self::listen(signers, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn listen<'a>(
        signers: impl IntoIterator<Item = &'a LocalSigner>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = Arc::new(State { replies: Mutex::default(), hits: watch::Sender::default() });
        let task = tokio::spawn(serve(listener, tls, Arc::clone(&state)));
        let provider = Self { origin, state, task };
        provider.set(OPENID, Reply::ok(provider.metadata(&provider.issuer())));
        provider.publish(signers);
        provider
    }

    /// Its issuer identifier.
    pub(crate) fn issuer(&self) -> String {
        self.origin.clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// A discovery document that names this issuer.
    pub(crate) fn metadata(&self, issuer: &str) -> Vec<u8> {
        json!({ "issuer": issuer, "jwks_uri": self.url(JWKS) }).to_string().into_bytes()
    }

    /// From now on the key set is this one.
    pub(crate) fn publish<'a>(&self, signers: impl IntoIterator<Item = &'a LocalSigner>) {
        self.set(JWKS, Reply::ok(jwks(signers)));
    }

    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.state.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    pub(crate) fn unset(&self, path: &str) {
        self.state.replies.lock().unwrap().remove(path);
    }

    /// How many requests there were for `path`.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.state.hits.borrow().get(path).copied().unwrap_or(0)
    }

    /// Waits until there were this many requests for `path`.
    pub(crate) async fn hit(&self, path: &str, count: usize) {
        let mut hits = self.state.hits.subscribe();
        let enough = hits.wait_for(|hits| hits.get(path).copied().unwrap_or(0) >= count);
        patiently(enough).await.unwrap();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        match tls.clone() {
            None => connections.spawn(converse(stream, state)),
            Some(tls) => connections.spawn(async move { converse(tls.accept(stream).await?, state).await }),
        };
    }
}

/// One connection: requests without a body, one after the other.
async fn converse<S>(mut stream: S, state: Arc<State>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut text = Vec::new();
    loop {
        while !text.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut text).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8(std::mem::take(&mut text)).unwrap();
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let reply = state.replies.lock().unwrap().get(&path).cloned().unwrap_or(Reply::status(404));
        state.hits.send_modify(|hits| *hits.entry(path).or_default() += 1);
        match reply {
            Reply::Whole(status, headers, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
            }
            Reply::Chunked(body) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                for chunk in body.chunks(4096) {
                    stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
                    stream.write_all(chunk).await?;
                    stream.write_all(b"\r\n").await?;
                }
                stream.write_all(b"0\r\n\r\n").await?;
            }
            Reply::Cut(body) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body[..body.len() / 2]).await?;
                return stream.shutdown().await;
            }
            Reply::Hang => std::future::pending().await,
        }
    }
}

/// A clock that goes with tokio's, which [`pass`] moves.
#[derive(Debug)]
pub(crate) struct TestClock {
    origin: Instant,
    /// What the wall clock says at the origin.
    wall: i64,
}

pub(crate) const START: i64 = 1_800_000_000;

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Self::at(START)
    }

    pub(crate) fn at(wall: i64) -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), wall })
    }

    pub(crate) fn wall(&self) -> i64 {
        self.now().wall.0
    }
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        let since = self.origin.elapsed();
        // A day after the machine started.
        let mono = MonoTime(86_400_000_000_000).saturating_add(since);
        Now { wall: UnixTime(self.wall).saturating_add(since), mono }
    }
}

/// Moves the clock, on a runtime of one thread. Time stands still for nobody else: sockets go on.
pub(crate) async fn pass(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

/// Remembers what happened, each event as one word or two.
#[derive(Debug, Default)]
pub(crate) struct Record {
    events: watch::Sender<Vec<(String, String)>>,
}

impl Record {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What happened to this issuer so far.
    pub(crate) fn events(&self, issuer: &str) -> Vec<String> {
        let events = self.events.borrow();
        events.iter().filter(|(name, _)| name == issuer).map(|(_, event)| event.clone()).collect()
    }

    /// Waits until `event` has happened to `issuer` this many times.
    pub(crate) async fn seen(&self, issuer: &str, event: &str, count: usize) {
        let mut events = self.events.subscribe();
        let enough = events.wait_for(|events| {
            events.iter().filter(|(name, happened)| name == issuer && happened == event).count() >= count
        });
        let Ok(_) = patiently(async { enough.await.map(drop) }).await else {
            panic!("no {event:?}");
        };
    }
}

impl Observer for Record {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        let word = match event {
            Event::Refreshed { .. } => "refreshed".to_owned(),
            Event::RefreshCrashed { .. } => "crashed".to_owned(),
            Event::RefreshFailed { error, .. } => format!("failed: {}", error.label()),
            Event::RefreshRefused { .. } => "failed: no_usable_key".to_owned(),
            Event::SnapshotUsed { .. } => "snapshot used".to_owned(),
            Event::SnapshotRefused { reason, .. } => format!("snapshot refused: {reason}"),
            Event::SnapshotWriteFailed { .. } => "snapshot not written".to_owned(),
            other => other.label().to_owned(),
        };
        self.events.send_modify(|events| events.push((issuer.to_owned(), word)));
    }
}

/// The output of a future that must come soon.
pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it never came")
}

/// Waits until `condition` holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    patiently(poll).await;
}

/// The output of a future that must not wait.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Settings for a provider that is found by discovery, under the name `idp`.
pub(crate) fn discover(provider: &Provider) -> IssuerSettings {
    IssuerSettings::discover(&provider.issuer()).named("idp").audience("api")
}

/// A verifier of one issuer, its clock and its record.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) verifier: Verifier,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) record: Arc<Record>,
}

impl Bench {
    pub(crate) fn new(settings: IssuerSettings) -> Self {
        Self::with(TestClock::new(), |builder| builder.issuer(settings))
    }

    pub(crate) fn with(
        clock: Arc<TestClock>,
        build: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
    ) -> Self {
        let record = Record::new();
        let builder = Verifier::builder().clock(clock.clone()).observer(record.clone());
        Self { verifier: build(builder).start().unwrap(), clock, record }
    }

    /// A verifier that has its first keys.
    pub(crate) async fn ready(settings: IssuerSettings) -> Self {
        let bench = Self::new(settings);
        bench.record.seen("idp", "refreshed", 1).await;
        bench
    }

    /// Waits for an event of the issuer `idp`.
    pub(crate) async fn seen(&self, event: &str, count: usize) {
        self.record.seen("idp", event, count).await;
    }

    pub(crate) fn status(&self) -> IssuerStatus {
        self.verifier.status().remove(0)
    }

    /// A token of this issuer that is good now.
    pub(crate) fn token(&self, signer: &LocalSigner, issuer: &str) -> String {
        token(signer, issuer, self.clock.wall())
    }

    pub(crate) async fn outcome(&self, token: &str) -> Outcome {
        outcome(&patiently(self.verifier.verify(token.as_bytes())).await)
    }

    /// The outcome of a call that must not wait.
    pub(crate) fn outcome_at_once(&self, token: &str) -> Outcome {
        outcome(&at_once(self.verifier.verify(token.as_bytes())))
    }
}

/// What became of a token, in a form that compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accept,
    Reject(Reason),
    Undecided(Reason),
}

pub(crate) fn outcome(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Accept(_) => Outcome::Accept,
        Verdict::Reject(reason) => Outcome::Reject(*reason),
        Verdict::Undecided(reason) => Outcome::Undecided(*reason),
    }
}

/// A good token for the audience `api`, issued at `now`.
pub(crate) fn token(signer: &dyn Signer, issuer: &str, now: i64) -> String {
    sign(
        signer,
        &json!({ "iss": issuer, "sub": "alice", "aud": "api", "iat": now, "exp": now + 3600, "scope": "read" }),
    )
}

pub(crate) fn sign(signer: &dyn Signer, claims: &Value) -> String {
    at_once(sign_compact(signer, Some("at+jwt"), claims.to_string().as_bytes())).unwrap()
}

/// A token that names this key id, whoever signed it.
pub(crate) fn token_with_kid(kid: &str, issuer: &str, now: i64) -> String {
    let signer = LocalSigner::generate(Algorithm::EdDsa, Some(kid)).unwrap();
    token(&signer, issuer, now)
}
