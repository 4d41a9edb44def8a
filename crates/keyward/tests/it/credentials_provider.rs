//! A provider that remembers each request whole, and answers it as a function says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use url::{Url, form_urlencoded};

use keyward::credentials::{CallError, Caller, CallerSettings, CredentialSettings};
use keyward::fetch::Answer;

use crate::support::{Record, Reply, TestClock, patiently};

pub(crate) const TOKEN: &str = "/token";
pub(crate) const INTROSPECT: &str = "/introspect";

/// An answer in JSON.
pub(crate) fn json(status: u16, body: serde_json::Value) -> Reply {
    Reply::Whole(status, "Content-Type: application/json\r\n".to_owned(), body.to_string().into_bytes())
}

/// What an introspection endpoint says of an active token.
pub(crate) fn active() -> Reply {
    json(200, serde_json::json!({ "active": true }))
}

/// A caller of an endpoint's, its clock and its record.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) caller: Arc<Caller>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) record: Arc<Record>,
    introspect: Url,
}

impl Ours {
    pub(crate) fn new(endpoint: &Endpoint, credential: CredentialSettings) -> Self {
        Self::with(endpoint, credential, |settings| settings)
    }

    pub(crate) fn with(
        endpoint: &Endpoint,
        credential: CredentialSettings,
        change: impl FnOnce(CallerSettings) -> CallerSettings,
    ) -> Self {
        let (clock, record) = (TestClock::new(), Record::new());
        let settings = change(CallerSettings::new("idp", &endpoint.issuer(), credential));
        let caller = Caller::start(settings, clock.clone(), record.clone(), 1).unwrap();
        let introspect = endpoint.url(INTROSPECT);
        Self { caller: Arc::new(caller), clock, record, introspect }
    }

    /// Asks about a token, for two seconds at most.
    pub(crate) async fn introspect(&self) -> Result<Answer, CallError> {
        let deadline = self.clock.now().mono.saturating_add(Duration::from_secs(2));
        let fields = [("token", "a user's"), ("token_type_hint", "access_token")];
        patiently(self.caller.post(&self.introspect, &self.introspect, &fields, deadline)).await
    }

    pub(crate) async fn seen(&self, event: &str, count: usize) {
        self.record.seen("idp", event, count).await;
    }

    /// What happened, but for what depends on the modes that the tests' keys were checked out with.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut events = self.record.events("idp");
        events.retain(|event| event != "credential_exposed");
        events
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The header lines as they stand.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    /// The value of a header field.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The value of a form field; it must stand there once.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut found = form_urlencoded::parse(self.body.as_bytes()).filter(|(field, _)| field == name);
        let value = found.next().map(|(_, value)| value.into_owned());
        assert!(found.next().is_none(), "{name} stands twice");
        value
    }
}

type Script = Box<dyn Fn(&Received) -> Reply + Send>;

/// It goes down when it is dropped.
pub(crate) struct Endpoint {
    origin: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    answer: Mutex<Script>,
    received: watch::Sender<Vec<Received>>,
}

impl Endpoint {
    pub(crate) async fn start(answer: impl Fn(&Received) -> Reply + Send + 'static) -> Self {
        Self::listen(None, answer).await
    }

    /// The same, by https.
    pub(crate) async fn start_tls(
        tls: rustls::ServerConfig,
        answer: impl Fn(&Received) -> Reply + Send + 'static,
    ) -> Self {
        Self::listen(Some(TlsAcceptor::from(Arc::new(tls))), answer).await
    }

    async fn listen(tls: Option<TlsAcceptor>, answer: impl Fn(&Received) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state =
            Arc::new(State { answer: Mutex::new(Box::new(answer)), received: watch::Sender::default() });
        let task = tokio::spawn(serve(listener, tls, Arc::clone(&state)));
        Self { origin, state, task }
    }

    pub(crate) fn issuer(&self) -> String {
        self.origin.clone()
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("{}{path}", self.origin).parse().unwrap()
    }

    /// From now on it answers as this says.
    pub(crate) fn answers(&self, answer: impl Fn(&Received) -> Reply + Send + 'static) {
        *self.state.answer.lock().unwrap() = Box::new(answer);
    }

    /// What came to `path`, in order.
    pub(crate) fn received(&self, path: &str) -> Vec<Received> {
        self.state.received.borrow().iter().filter(|received| received.path == path).cloned().collect()
    }

    /// Waits until so many requests came to `path`.
    pub(crate) async fn hit(&self, path: &str, count: usize) {
        let mut received = self.state.received.subscribe();
        let enough =
            received.wait_for(|all| all.iter().filter(|received| received.path == path).count() >= count);
        patiently(enough).await.unwrap();
    }
}

impl Drop for Endpoint {
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

async fn converse<S>(mut stream: S, state: Arc<State>) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(octet) => text.push(octet),
                Err(_) => return Ok(()),
            }
        }
        let text = String::from_utf8(text).unwrap();
        let (line, head) = text.split_once("\r\n").unwrap();
        let mut words = line.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut received = Received { method, path, head: head.to_owned(), body: String::new() };
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        received.body = String::from_utf8(body).unwrap();
        let reply = (state.answer.lock().unwrap())(&received);
        state.received.send_modify(|all| all.push(received));
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
