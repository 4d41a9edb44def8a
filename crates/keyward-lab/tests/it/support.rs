//! Clients, plans and what both are asked.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use keyward_jose::{DecodeBuffer, JwkSet, JwkSetLimits, Jws};
use keyward_lab::command::Command;
use keyward_lab::fault::{Endpoint, Fault};
use keyward_lab::plan::{Algorithm, IssuerPlan, LabPlan};
use keyward_lab::token::TokenPlan;
use keyward_lab::{Lab, Sockets};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything takes that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const ALGORITHMS: [Algorithm; 10] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

pub(crate) fn plan(issuer: IssuerPlan) -> LabPlan {
    LabPlan { issuer: BTreeMap::from([("main".to_owned(), issuer)]) }
}

pub(crate) async fn lab() -> Lab {
    lab_with(IssuerPlan::default()).await
}

pub(crate) async fn lab_with(issuer: IssuerPlan) -> Lab {
    Lab::on_sockets(&plan(issuer), &Sockets::default()).await.unwrap()
}

pub(crate) fn jwks_uri(lab: &Lab) -> String {
    lab.issuer("main").unwrap().jwks_uri
}

/// The key set as it is published.
pub(crate) async fn set(lab: &Lab) -> Value {
    fetch(&jwks_uri(lab)).await.unwrap().json()
}

pub(crate) async fn obey(lab: &Lab, command: &str) {
    lab.obey(&serde_json::from_str::<Command>(command).unwrap()).await.unwrap();
}

pub(crate) async fn fail(lab: &Lab, endpoint: Endpoint, fault: Fault) {
    lab.obey(&Command { fault: BTreeMap::from([(endpoint, fault)]), ..Command::default() }).await.unwrap();
}

pub(crate) async fn mend(lab: &Lab, endpoint: Endpoint) {
    lab.obey(&Command { mend: vec![endpoint], ..Command::default() }).await.unwrap();
}

/// A client that follows nothing and keeps connections.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

pub(crate) async fn kids(lab: &Lab) -> Vec<String> {
    kids_of(&client().get(jwks_uri(lab)).send().await.unwrap().json().await.unwrap())
}

pub(crate) fn kids_of(set: &Value) -> Vec<String> {
    let kid = |jwk: &Value| jwk["kid"].as_str().unwrap_or("-").to_owned();
    set["keys"].as_array().unwrap().iter().map(kid).collect()
}

/// A raw HTTP answer.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(is, _)| is.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Host, port and path of an http address.
pub(crate) fn split(url: &str) -> (String, u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap();
    (host.to_owned(), port.parse().unwrap(), path.to_owned())
}

pub(crate) async fn dial(url: &str) -> io::Result<TcpStream> {
    let (host, port, _) = split(url);
    TcpStream::connect((host.as_str(), port)).await
}

pub(crate) async fn ask(io: &mut (impl AsyncWrite + Unpin), url: &str) {
    let (host, port, path) = split(url);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
    io.write_all(request.as_bytes()).await.unwrap();
}

/// Head and body of one answer with a `Content-Length`; an error where it ends before that.
pub(crate) async fn hear(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Raw> {
    let head = hear_head(io).await?;
    let mut raw = Raw { head, body: Vec::new() };
    let length = raw.header("content-length").map_or(0, |length| length.parse().unwrap());
    raw.body = vec![0; length];
    io.read_exact(&mut raw.body).await?;
    Ok(raw)
}

pub(crate) async fn hear_head(io: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// One answer over a connection of its own.
pub(crate) async fn fetch(url: &str) -> io::Result<Raw> {
    let mut io = dial(url).await?;
    ask(&mut io, url).await;
    hear(&mut io).await
}

/// Whether nothing comes, not even an end, for a while.
pub(crate) async fn silent(io: &mut (impl AsyncRead + Unpin)) -> bool {
    tokio::time::timeout(Duration::from_millis(300), io.read_u8()).await.is_err()
}

/// Whether the other side ends it soon.
pub(crate) async fn ends(io: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, io.read_to_end(&mut rest)).await.is_ok()
}

/// The claims of a token, where a key of this set verifies it: the one of its kid, or any where it has none.
pub(crate) fn verified(set: &Value, token: &str) -> Option<Value> {
    let set = JwkSet::parse(set.to_string().as_bytes(), JwkSetLimits::default()).unwrap();
    let mut buffer = DecodeBuffer::new();
    let jws = Jws::parse(token.as_bytes(), usize::MAX, &mut buffer).unwrap();
    let header = jws.header();
    let of_kid = set.keys().iter().filter(|key| header.kid().is_none() || key.kid() == header.kid());
    let verified = of_kid.filter_map(|key| jws.verify(key).ok()).next()?;
    Some(serde_json::from_slice(verified.payload()).unwrap())
}

pub(crate) fn good(lab: &Lab) -> String {
    lab.token(None, &TokenPlan::default()).unwrap()
}
