//! Where clients keep their keys: a real HTTP server that misbehaves on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward_jose::{LocalSigner, Signer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Nothing, and the connection stays open.
    Hang,
    /// 302 to this place.
    Redirect(String),
    /// 200 and this body.
    Set(Vec<u8>),
    /// Another status.
    Status(u16),
}

/// A server on loopback. It goes down when it is dropped.
pub(crate) struct KeyServer {
    origin: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    replies: Mutex<BTreeMap<String, Reply>>,
    hits: watch::Sender<BTreeMap<String, usize>>,
}

impl KeyServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { origin, state, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.state.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// From now on these keys are there.
    pub(crate) fn publish<'a>(&self, path: &str, signers: impl IntoIterator<Item = &'a LocalSigner>) {
        self.set(path, Reply::Set(set_of(signers.into_iter().map(jwk))));
    }

    /// How many requests there were for `path`.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.state.hits.borrow().get(path).copied().unwrap_or(0)
    }

    /// Waits until there were this many.
    pub(crate) async fn hit(&self, path: &str, count: usize) {
        let mut hits = self.state.hits.subscribe();
        let enough = hits.wait_for(|hits| hits.get(path).copied().unwrap_or(0) >= count);
        tokio::time::timeout(Duration::from_secs(30), enough).await.expect("it was never asked").unwrap();
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn jwk(signer: &LocalSigner) -> Value {
    serde_json::to_value(signer.public_jwk()).unwrap()
}

pub(crate) fn set_of(keys: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let keys: Vec<_> = keys.into_iter().collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, Arc::clone(&state)));
    }
}

/// One connection: requests without a body, one after the other.
async fn converse(mut stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    let mut text = Vec::new();
    loop {
        while !text.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut text).await? == 0 {
                return Ok(());
            }
        }
        let request = String::from_utf8(std::mem::take(&mut text)).unwrap();
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let reply = state.replies.lock().unwrap().get(&path).cloned().unwrap_or(Reply::Status(404));
        state.hits.send_modify(|hits| *hits.entry(path).or_default() += 1);
        let (status, header, body) = match reply {
            Reply::Hang => std::future::pending().await,
            Reply::Redirect(to) => (302, format!("Location: {to}\r\n"), Vec::new()),
            Reply::Set(body) => (200, String::new(), body),
            Reply::Status(status) => (status, String::new(), Vec::new()),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Whatever\r\n{header}Content-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
    }
}
