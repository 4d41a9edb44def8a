//! A server that says what a test wants, and remembers what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{JWKS, OPENID};

/// What is answered to one path.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These octets, and the end of the connection.
    Octets(Vec<u8>),
    /// These octets, and nothing more, for ever.
    Hangs(Vec<u8>),
    /// Each of these in turn, and the last one from then on.
    InTurn(Vec<Reply>),
}

impl Reply {
    pub(crate) fn of(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::raw(&format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
    }

    pub(crate) fn json(body: &str) -> Self {
        Self::of("200 OK", &format!("content-type: application/json\r\n{}", date(0)), body)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::of("302 Found", &format!("location: {to}\r\n"), "")
    }

    pub(crate) fn raw(text: &str) -> Self {
        Self::Octets(text.as_bytes().to_vec())
    }
}

/// A `Date` so many seconds ahead.
#[expect(clippy::disallowed_methods, reason = "a server has a clock of its own")]
pub(crate) fn date(ahead: i64) -> String {
    let now = SystemTime::now();
    let by = std::time::Duration::from_secs(ahead.unsigned_abs());
    let told = if ahead < 0 { now - by } else { now + by };
    format!("date: {}\r\n", httpdate::fmt_http_date(told))
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The path with its query.
    pub(crate) path: String,
    /// The head of the request.
    pub(crate) head: String,
}

/// It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(crate) async fn at(address: &str) -> Self {
        Self::with(address, None).await
    }

    pub(crate) async fn start_tls(config: ServerConfig) -> Self {
        Self::with("127.0.0.1:0", Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn with(address: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (replies, asked) = (Arc::default(), Arc::default());
        let serving = tokio::spawn(serve(listener, tls, Arc::clone(&replies), Arc::clone(&asked)));
        Self { address, scheme, replies, asked, serving }
    }

    /// A provider whose keys are these, and which says so.
    pub(crate) async fn provider(jwk_set: &str) -> Self {
        let server = Self::start().await;
        server.set(OPENID, Reply::json(&server.metadata().to_string()));
        server.set(JWKS, Reply::json(jwk_set));
        server
    }

    pub(crate) fn metadata(&self) -> Value {
        json!({ "issuer": self.issuer(), "jwks_uri": self.text(JWKS) })
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.text(path).parse().unwrap()
    }

    /// What is answered at a path; elsewhere is nothing.
    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often this path was asked for.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path == path).count()
    }
}

type Replies = Arc<Mutex<HashMap<String, Reply>>>;

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    replies: Replies,
    asked: Arc<Mutex<Vec<Asked>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, replies, asked) = (tls.clone(), Arc::clone(&replies), Arc::clone(&asked));
        tokio::spawn(async move {
            match tls {
                None => answer(stream, &replies, &asked).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, &replies, &asked).await;
                    }
                }
            }
        });
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    replies: &Mutex<HashMap<String, Reply>>,
    asked: &Mutex<Vec<Asked>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            // The first octet of a TLS handshake.
            Ok(0x16) => {
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                return;
            }
            Ok(octet) => head.push(octet),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let nth = asked.lock().unwrap().iter().filter(|asked: &&Asked| asked.path == path).count();
    let mut reply = replies.lock().unwrap().get(path.split('?').next().unwrap()).cloned();
    if let Some(Reply::InTurn(turns)) = &reply {
        reply = turns.get(nth).or(turns.last()).cloned();
    }
    asked.lock().unwrap().push(Asked { path, head });
    match reply.unwrap_or_else(|| Reply::of("404 Not Found", "", "nothing is here\n")) {
        Reply::Octets(octets) => {
            let _ = stream.write_all(&octets).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hangs(octets) => {
            let _ = stream.write_all(&octets).await;
            std::future::pending::<()>().await;
        }
        Reply::InTurn(_) => panic!("a turn of turns"),
    }
}

/// A listener that takes connections and never says a word.
pub(crate) async fn silent() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let holding = tokio::spawn(async move {
        let mut held: Vec<TcpStream> = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (address, holding)
}
