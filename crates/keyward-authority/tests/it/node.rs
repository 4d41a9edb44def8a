//! A node that serves, and a connection to it on which octets are sent as they are.

use std::net::SocketAddr;
use std::time::Duration;

use keyward_authority::authority::Authority;
use keyward_authority::config::Config;
use keyward_authority::server::{Node, Reloader};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// For what happens at once, on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A node in this process.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) authority: Authority,
    pub(crate) reloader: Option<Reloader>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    pub(crate) folder: TempDir,
}

impl Running {
    /// With these lines under `[authority.limits]`, and these after all; they may name files of `folder`.
    pub(crate) async fn start_in(folder: TempDir, limits: &str, rest: &str) -> Self {
        let text = format!(
            "[authority]\norigin = \"http://127.0.0.1\"\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             [authority.limits]\n{limits}\n[key_store]\nmaster_key_environment = \"MASTER\"\n{rest}"
        );
        let path = folder.path().join("authority.toml");
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path, environment).unwrap();
        let node = Node::bind(config).await.unwrap();
        let (addresses, authority) = (node.addresses().unwrap(), node.authority().clone());
        let reloader = Some(node.reloader(&path, environment));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(node.serve(async {
            let _ = stopped.await;
        }));
        let running = Self {
            address: addresses.listen,
            admin: addresses.admin_listen,
            authority,
            reloader,
            stop: Some(stop),
            task: Some(task),
            folder,
        };
        until(async || running.readiness().await.0 == 200).await;
        running
    }

    pub(crate) async fn start(limits: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), limits, "").await
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// The answer to this on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Option<Answer> {
        let mut raw = self.connect().await;
        raw.send(request).await;
        raw.answer().await
    }

    pub(crate) async fn operator(&self, path: &str) -> Option<Answer> {
        let stream = TcpStream::connect(self.admin).await.ok()?;
        let mut raw = Raw::new(stream);
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        raw.answer().await
    }

    pub(crate) async fn readiness(&self) -> (u16, String) {
        let answer = self.operator("/readyz").await.unwrap();
        (answer.status, answer.json()["status"].as_str().unwrap().to_owned())
    }

    /// The value of the one sample whose name and labels are `sample`.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.operator("/metrics").await.unwrap().body;
        text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    /// Begins the shutdown.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for the end of the shutdown.
    pub(crate) async fn ended(&mut self) {
        let task = self.task.take().unwrap();
        tokio::time::timeout(PATIENCE, task).await.expect("it ends").unwrap();
    }
}

fn environment(_: &str) -> Option<String> {
    Some("0f".repeat(32))
}

/// An answer; its head is in small letters.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Asks again and again until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it becomes so");
}

pub(crate) struct Raw<IO = TcpStream> {
    stream: IO,
    read: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await.unwrap().unwrap())
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Raw<IO> {
    pub(crate) fn new(stream: IO) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.try_send(octets).await.unwrap();
    }

    /// The same where the other side may have gone.
    pub(crate) async fn try_send(&mut self, octets: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(octets.as_ref()).await?;
        self.stream.flush().await
    }

    /// The next answer, its body by `Content-Length`. None where the connection ends first.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|octets| octets == b"\r\n\r\n") {
                break end;
            }
            if !self.read_more().await {
                assert!(self.read.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&self.read));
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.read.len() < end + 4 + length {
            assert!(self.read_more().await, "half a body");
        }
        let body = String::from_utf8_lossy(&self.read[end + 4..end + 4 + length]).into_owned();
        self.read.drain(..end + 4 + length);
        Some(Answer { status, head, body })
    }

    /// Whether the other side closes, with nothing more to say.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.read_more().await
    }

    async fn read_more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        read.expect("the other side says something").is_ok_and(|octets| octets > 0)
    }
}
