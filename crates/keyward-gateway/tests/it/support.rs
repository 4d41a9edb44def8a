//! What several topics need: an issuer whose keys are in a file, its tokens, a gateway that serves, and
//! clients that send exactly what they are told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyward::clock::{Clock as _, SystemClock};
use keyward_gateway::{Config, Gateway, Reloader};
use keyward_jose::{Algorithm, LocalSigner, Signer, sign_compact};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const OTHER_ISSUER: &str = "https://other.example";
pub(crate) const SECRET: &str = "thirty-two octets nobody may see";

/// Longer than anything here takes, shorter than a test that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) static KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::EdDsa, Some("main-1")).unwrap());

pub(crate) static OTHER_KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::EdDsa, Some("other-1")).unwrap());

pub(crate) static STRANGERS_KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::EdDsa, Some("main-1")).unwrap());

/// A folder with a configuration and what it names.
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    /// With the key sets of two issuers and a secret.
    pub(crate) fn new() -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        folder.write("keys.json", &key_set(&[&KEY]));
        folder.write("other.json", &key_set(&[&OTHER_KEY]));
        folder.write("secret", &format!("{SECRET}\n"));
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as a careful operator does: all at once.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let new = self.path("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// The same with a file that nobody else can read.
    pub(crate) fn write_secret(&self, name: &str, content: &str) {
        self.write(name, content);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path(name), mode).unwrap();
    }

    pub(crate) fn parse(&self, text: &str) -> Result<Config, keyward_gateway::ConfigError> {
        Config::parse(text, self.folder.path())
    }

    /// A gateway with this configuration, ready.
    pub(crate) async fn start(&self, text: &str) -> Running {
        let running = self.start_unready(text).await;
        running.until_started().await;
        running
    }

    /// A gateway with this configuration, as it is right after its start.
    pub(crate) async fn start_unready(&self, text: &str) -> Running {
        self.write("keyward.toml", text);
        let path = self.path("keyward.toml");
        let gateway = Gateway::bind(Config::load(&path).unwrap()).await.unwrap();
        let addresses = gateway.addresses().unwrap();
        let reloader = gateway.reloader(&path);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(gateway.serve(async {
            let _ = stopped.await;
        }));
        Running {
            address: addresses.listen,
            admin: addresses.admin_listen,
            stop: Some(stop),
            task: Some(task),
            reloader: Some(reloader),
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(PATIENCE)
                .build()
                .unwrap(),
        }
    }
}

/// A configuration on free ports with the issuer `main`, and these routes and further tables.
pub(crate) fn config(rest: &str) -> String {
    config_with("", rest)
}

/// A configuration with these settings in `[gateway.limits]`, too.
pub(crate) fn config_with(limits: &str, rest: &str) -> String {
    format!(
        r#"
[gateway]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[gateway.limits]
{limits}
[[issuer]]
name = "main"
issuer = "{ISSUER}"
jwks_file = "keys.json"
{rest}
"#
    )
}

/// The table of a second issuer.
pub(crate) fn other_issuer() -> String {
    format!("[[issuer]]\nname = \"other\"\nissuer = \"{OTHER_ISSUER}\"\njwks_file = \"other.json\"\n")
}

pub(crate) fn key_set(signers: &[&LocalSigner]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.public_jwk().unwrap()).collect();
    json!({ "keys": keys }).to_string()
}

/// A gateway that serves; it stops when this is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: Option<JoinHandle<()>>,
    pub(crate) reloader: Option<Reloader>,
    pub(crate) client: reqwest::Client,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    /// A header that comes once; none where it does not come.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert!(values.len() <= 1, "{name} comes {} times", values.len());
        values.first().map(|value| std::str::from_utf8(value.as_bytes()).unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        self.header("x-keyward-reason")
    }
}

impl Running {
    /// Asks as Traefik does for a GET of `uri`, with these headers more.
    pub(crate) async fn ask(&self, uri: &str, headers: &[(&str, &str)]) -> Got {
        self.ask_as("GET", "app.example", uri, headers).await
    }

    /// Asks as Traefik does.
    pub(crate) async fn ask_as(&self, method: &str, host: &str, uri: &str, headers: &[(&str, &str)]) -> Got {
        let told = [
            ("x-forwarded-method", method),
            ("x-forwarded-host", host),
            ("x-forwarded-uri", uri),
            ("x-forwarded-proto", "https"),
        ];
        self.send(&[&told[..], headers].concat()).await
    }

    /// Asks as Traefik does for a GET of `/` with this token.
    pub(crate) async fn ask_with(&self, token: &str) -> Got {
        self.ask("/", &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// A GET of `/` with exactly these headers and those that an HTTP client cannot do without.
    pub(crate) async fn send(&self, headers: &[(&str, &str)]) -> Got {
        let request = self.client.get(format!("http://{}/", self.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Got::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn operator(&self, path: &str) -> Got {
        Got::of(self.client.get(format!("http://{}{path}", self.admin)).send().await.unwrap()).await
    }

    pub(crate) async fn readiness(&self) -> (u16, String) {
        let got = self.operator("/readyz").await;
        (got.status, got.json()["status"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn until_started(&self) {
        until(async || self.readiness().await.1 != "starting").await;
    }

    /// The value of the one sample whose name and labels are `sample`.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        let text = self.operator("/metrics").await.body;
        text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.address).await
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

/// Asks again and again until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it becomes so");
}

/// A connection on which octets are sent as they are.
pub(crate) struct Raw<IO = TcpStream> {
    pub(crate) stream: IO,
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

    /// The next answer: its head, and its body by `Content-Length`. None where the connection ends first.
    pub(crate) async fn answer(&mut self) -> Option<(u16, String, String)> {
        self.answer_to("GET").await
    }

    /// The next answer to a request of this method: one to HEAD has no body.
    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<(u16, String, String)> {
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
        let length: usize = length.filter(|_| method != "HEAD").unwrap_or(0);
        while self.read.len() < end + 4 + length {
            assert!(self.read_more().await, "half a body");
        }
        let body = String::from_utf8_lossy(&self.read[end + 4..end + 4 + length]).into_owned();
        self.read.drain(..end + 4 + length);
        Some((status, head, body))
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

pub(crate) fn now() -> i64 {
    SystemClock::new().now().wall.0
}

/// Claims that pass: issued now, good for an hour.
pub(crate) fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": "api", "iat": now(), "exp": now() + 3600,
            "scope": "read write", "realm_access": { "roles": ["admin", "auditor"] } })
}

/// `claims` with `name` set to something else.
pub(crate) fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

pub(crate) fn sign(signer: &LocalSigner, claims: &Value) -> String {
    sign_as("at+jwt", signer, claims)
}

pub(crate) fn sign_as(typ: &str, signer: &LocalSigner, claims: &Value) -> String {
    let payload = claims.to_string();
    match std::pin::pin!(sign_compact(signer, Some(typ), payload.as_bytes()))
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(token) => token.unwrap(),
        Poll::Pending => panic!("a local signer has nothing to wait for"),
    }
}

/// A token that passes.
pub(crate) fn good_token() -> String {
    sign(&KEY, &claims())
}

/// `good_token` with its `exp` long ago.
pub(crate) fn expired_token() -> String {
    sign(&KEY, &with(claims(), "exp", now() - 3600))
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
