//! `keyward up`, its curl lines, and the commands that ask its issuer.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::*;

const FREE_PORTS: [&str; 10] = [
    "--service-port",
    "0",
    "--gateway-port",
    "0",
    "--admin-port",
    "0",
    "--issuer-port",
    "0",
    "--issuer-admin-port",
    "0",
];

struct Up {
    child: Child,
    running: Value,
}

impl Up {
    /// On free ports.
    fn start() -> Self {
        let mut child = command(&[&["up", "--json"][..], &FREE_PORTS].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, running: serde_json::from_str(&line).unwrap() }
    }

    fn text(&self, name: &str) -> &str {
        self.running[name].as_str().unwrap()
    }

    /// The status and the body that the service answers with.
    async fn get(&self, token: Option<&str>) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request =
            client.get(format!("{}/hello?x=1", self.text("service"))).header("X-Auth-Subject", "mallory");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_token_of_its_issuer_passes_and_another_does_not() {
    let up = Up::start();
    let (status, shown) = up.get(Some(up.text("token"))).await;
    assert_eq!((status, &shown["path"]), (200, &"/hello".into()));
    assert_eq!(shown["headers"]["x-auth-subject"], "development", "and not what the client sent");
    assert_eq!(shown["headers"]["authorization"], Value::Null);
    let (status, body) = up.get(Some("not-a-token")).await;
    assert_eq!((status, &body["reason"]), (401, &"malformed_token".into()));
    assert_eq!(up.get(None).await.0, 401);

    let folder = Folder::new();
    let secret = folder.write("secret", up.text("client_secret"));
    for auth in ["basic", "post"] {
        let id = ["--client-id", "development", "--client-secret-file", &secret, "--auth", auth];
        let run = keyward(&[&["token", "request", "--issuer", up.text("issuer")][..], &id].concat(), "");
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert_eq!(up.get(Some(run.stdout.trim())).await.0, 200);
        let verify = ["token", "verify", "--jwks", up.text("jwks_uri"), "--issuer", up.text("issuer")];
        let run = keyward(&verify, run.stdout);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    }
    let id = ["--client-id", "development", "--client-secret-file", &folder.path("keys.json")];
    let run = keyward(
        &[&["token", "request", "--token-endpoint", up.text("token_endpoint")][..], &id].concat(),
        "",
    );
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("invalid_client"), "{}", run.stderr);
    assert_eq!(keyward(&["keys", "check", "--issuer", up.text("issuer")], "").code, 0);
}

#[tokio::test]
async fn the_doctor_finds_nothing_wrong_with_its_issuer() {
    let up = Up::start();
    let run = keyward(&["doctor", "--authority", &format!("{}/", up.text("issuer_admin")), "--json"], "");
    assert_eq!((run.code, &run.objects()[0]["findings"]), (0, &Value::Array(Vec::new())), "{}", run.stdout);
    let metrics = reqwest::get(format!("{}/metrics", up.text("issuer_admin"))).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("keyward_authority_requests_total{endpoint=\"token\",status=\"200\"} 1\n"),
        "{metrics}"
    );
}

/// The printed lines, as a person pastes them into a shell.
#[test]
fn the_curl_lines_do_what_they_say() {
    if Command::new("curl").arg("--version").output().is_err() {
        return; // curl is not Keyward's to install; the test above asks the same by HTTP
    }
    let mut child = command(&[&["up"][..], &FREE_PORTS].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !text.contains("Ctrl-C ends it.") {
        text.push_str(&lines.next().unwrap().unwrap());
        text.push('\n');
    }
    let (_, rest) = text.split_once("This gets 200:").unwrap();
    let (allowed, rest) = rest.split_once("This gets 401:").unwrap();
    let (denied, _) = rest.split_once("Ctrl-C").unwrap();
    let answers: Vec<String> = [allowed, denied]
        .into_iter()
        .map(|line| {
            let output = Command::new("sh").args(["-c", line.trim()]).env("NO_PROXY", "127.0.0.1").output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        })
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{}", answers[0]);
    assert!(answers[1].starts_with("HTTP/1.1 401 "), "{}", answers[1]);
}
