//! What several topics need: the binary, a key, its set, and tokens.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use keyward_jose::{Algorithm, LocalSigner, Signer, sign_compact};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ISSUER: &str = "https://idp.example";

/// 2026-11-21T04:00:00Z, when the tests' tokens are judged.
pub(crate) const AT: &str = "2026-11-21T04:00:00Z";
pub(crate) const AT_SECONDS: i64 = 1_795_233_600;

pub(crate) static KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::EdDsa, Some("first")).unwrap());

pub(crate) static OTHER_KEY: LazyLock<LocalSigner> =
    LazyLock::new(|| LocalSigner::generate(Algorithm::EdDsa, Some("first")).unwrap());

/// What a run of the command came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// The JSON objects on stdout, one a line.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect()
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
    // So that help is as wide everywhere.
    command.args(arguments).env("COLUMNS", "100").env("NO_COLOR", "1");
    command
}

/// Runs the command with this standard input.
pub(crate) fn keyward(arguments: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().unwrap();
    let text = stdin.as_ref().to_vec();
    let writing = std::thread::spawn(move || {
        // The command may end before it read everything.
        let _ = input.write_all(&text);
    });
    let output = child.wait_with_output().expect("the binary ends");
    writing.join().unwrap();
    Run::of(output)
}

/// A folder with `keys.json`, the set of [`KEY`].
pub(crate) struct Folder {
    folder: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self { folder: tempfile::tempdir().unwrap() };
        folder.write("keys.json", &set(&[KEY.public_jwk().unwrap()]));
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

pub(crate) fn set(keys: &[impl serde::Serialize]) -> String {
    json!({ "keys": keys }).to_string()
}

/// Claims that are good at [`AT`].
pub(crate) fn good_claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": "api", "iat": AT_SECONDS - 300, "exp": AT_SECONDS + 300 })
}

pub(crate) fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// A token of this payload, as it stands.
pub(crate) fn sign_octets(signer: &LocalSigner, payload: &[u8]) -> String {
    match std::pin::pin!(sign_compact(signer, Some("at+jwt"), payload))
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(token) => token.unwrap(),
        Poll::Pending => panic!("a local signer has nothing to wait for"),
    }
}

pub(crate) fn sign(signer: &LocalSigner, claims: &Value) -> String {
    sign_octets(signer, claims.to_string().as_bytes())
}
