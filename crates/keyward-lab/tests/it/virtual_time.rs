//! A lab in memory, on a paused clock.

use std::io::ErrorKind;
use std::time::Duration;

use keyward_lab::fault::{Endpoint, Fault};
use keyward_lab::plan::IssuerPlan;
use keyward_lab::{Lab, LabError};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::assertion::{JWT_BEARER, Party};
use crate::support::{Raw, ask, fail, good, hear, jwks_uri, kids_of, mend, obey, plan, split, verified};

const WALL: i64 = 1_700_000_000;

fn in_memory() -> Lab {
    Lab::in_memory(&plan(IssuerPlan::default()), WALL, 1).unwrap()
}

async fn fetch(lab: &Lab) -> std::io::Result<Raw> {
    let (host, port, _) = split(&jwks_uri(lab));
    let mut io = lab.connect(&host, port).await?;
    ask(&mut io, &jwks_uri(lab)).await;
    hear(&mut io).await
}

pub(crate) async fn set(lab: &Lab) -> Value {
    fetch(lab).await.unwrap().json()
}

#[tokio::test(start_paused = true)]
async fn the_lab_is_reached_without_a_socket() {
    let lab = in_memory();
    let claims = verified(&set(&lab).await, &good(&lab)).unwrap();
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(WALL), Some(WALL + 300)));
    let unknown = lab.connect("127.0.0.1", 1).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::ConnectionRefused);
    let (_, port, _) = split(&jwks_uri(&lab));
    assert_eq!(lab.connect("idp.example", port).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(lab.connect("localhost", port).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_https_issuer_is_refused() {
    let refused = Lab::in_memory(&plan(IssuerPlan { tls: true, ..IssuerPlan::default() }), WALL, 1);
    assert!(matches!(refused, Err(LabError::TlsInMemory { issuer }) if issuer == "main"));
}

#[tokio::test(start_paused = true)]
async fn time_is_tokios() {
    let lab = in_memory();
    tokio::time::advance(Duration::from_secs(3600)).await;
    let raw = fetch(&lab).await.unwrap();
    assert_eq!(raw.header("date"), Some("Tue, 14 Nov 2023 23:13:20 GMT"));
    assert_eq!(verified(&raw.json(), &good(&lab)).unwrap()["iat"], WALL + 3600);
    fail(&lab, Endpoint::Jwks, Fault::Drip).await;
    let asked = Instant::now();
    let octets = fetch(&lab).await.unwrap().body.len();
    assert_eq!(asked.elapsed().as_secs(), octets as u64);
}

#[tokio::test(start_paused = true)]
async fn connections_are_refused_hung_and_cut_as_over_sockets() {
    let lab = in_memory();
    let (host, port, _) = split(&jwks_uri(&lab));
    let mut open = lab.connect(&host, port).await.unwrap();
    fail(&lab, Endpoint::Jwks, Fault::Refuse).await;
    assert_eq!(fetch(&lab).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert!(crate::support::ends(&mut open).await);
    fail(&lab, Endpoint::Jwks, Fault::Hang).await;
    let hung = tokio::time::timeout(Duration::from_secs(500), fetch(&lab)).await;
    assert!(hung.is_err());
    mend(&lab, Endpoint::Jwks).await;
    assert_eq!(kids_of(&set(&lab).await), ["key-1"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_random_is_the_seeds() {
    let random = r#"{"kid": "random"}"#;
    let header = |seed| {
        let lab = Lab::in_memory(&plan(IssuerPlan::default()), WALL, seed).unwrap();
        let token = lab.token(None, &serde_json::from_str(random).unwrap()).unwrap();
        token.split('.').next().unwrap().to_owned()
    };
    assert_eq!(header(7), header(7));
    assert_ne!(header(7), header(8));
}

#[tokio::test(start_paused = true)]
async fn keys_rotate_by_themselves() {
    let lab = in_memory();
    obey(&lab, r#"{"rotate": {"every": {"period": "100s", "ahead": "30s", "overlap": "20s"}}}"#).await;
    let mut seen = Vec::new();
    for _ in 0..26 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let set = set(&lab).await;
        assert!(verified(&set, &good(&lab)).is_some(), "published before it signs, and while it does");
        let kids = kids_of(&set);
        if seen.last() != Some(&kids) {
            seen.push(kids);
        }
    }
    let expected = ["key-1", "key-1 rotated-1", "rotated-1", "rotated-1 rotated-2", "rotated-2"];
    assert_eq!(seen.iter().map(|kids| kids.join(" ")).collect::<Vec<_>>(), expected);
    obey(&lab, r#"{"rotate": "never"}"#).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!(kids_of(&set(&lab).await), ["rotated-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_year_of_rotations() {
    let lab = in_memory();
    obey(&lab, r#"{"rotate": {"every": {"period": "1day"}}}"#).await;
    for day in 1..=365 {
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        tokio::task::yield_now().await;
        let set = set(&lab).await;
        assert_eq!(kids_of(&set), [format!("rotated-{day}")]);
        assert!(verified(&set, &good(&lab)).is_some());
    }
    // A withdrawn key still signs, for tokens that should not be; those of long ago are gone.
    assert!(lab.token(None, &serde_json::from_str(r#"{"key": "rotated-300"}"#).unwrap()).is_ok());
    assert_eq!(lab.keys("main").len(), 257);
}

/// Sends a form to an endpoint and gives its answer.
async fn post(lab: &Lab, url: &str, headers: &str, form: &str) -> Raw {
    let (host, port, path) = split(url);
    let mut io = lab.connect(&host, port).await.unwrap();
    let length = form.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{form}");
    io.write_all(request.as_bytes()).await.unwrap();
    hear(&mut io).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_service_accounts_bearer_lives_its_time() {
    let issuer = r#"{"errors": "zitadel", "token_lifetime": "12h", "client": {"robot":
        {"kind": "service_account", "keys": [{"kid": "key", "algorithm": "ES256", "lifetime": "30days"}]}}}"#;
    let lab = Lab::in_memory(&plan(serde_json::from_str(issuer).unwrap()), WALL, 1).unwrap();
    let robot = Party::of(&lab, "robot", "key", keyward_jose::Algorithm::Es256);
    let addresses = lab.issuer("main").unwrap();
    let exchange = async || {
        let assertion = robot.assertion(&lab, serde_json::json!({})).await;
        let form = format!("grant_type={JWT_BEARER}&assertion={assertion}");
        post(&lab, &addresses.token_endpoint, "", &form).await
    };
    let introspect = async |bearer: &str| {
        let headers = format!("Authorization: Bearer {bearer}\r\n");
        let form = format!("token={}", good(&lab));
        post(&lab, &addresses.introspection_endpoint, &headers, &form).await.status()
    };
    for _ in 0..60 {
        let bearer = exchange().await.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(introspect(&bearer).await, 200);
        tokio::time::sleep(Duration::from_secs(12 * 3600 - 1)).await;
        assert_eq!(introspect(&bearer).await, 200);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(introspect(&bearer).await, 401);
    }
    assert_eq!(exchange().await.status(), 500, "the key has expired");
}

#[tokio::test(start_paused = true)]
async fn a_cache_in_front_lags() {
    let lab = in_memory();
    obey(&lab, r#"{"lag": {"by": "600s", "age_header": true}}"#).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    obey(&lab, r#"{"generate": [{"kid": "key-2"}], "publish": ["key-2"], "sign_with": "key-2"}"#).await;
    tokio::time::sleep(Duration::from_secs(599)).await;
    let raw = fetch(&lab).await.unwrap();
    assert_eq!(kids_of(&raw.json()), ["key-1"]);
    assert_eq!(raw.header("age"), Some("600"));
    assert_eq!(raw.header("date"), Some("Tue, 14 Nov 2023 22:14:59 GMT"));
    assert_eq!(verified(&raw.json(), &good(&lab)), None, "signed before it is seen");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(kids_of(&set(&lab).await), ["key-1", "key-2"]);
    obey(&lab, r#"{"withdraw": ["key-1"]}"#).await;
    assert_eq!(kids_of(&set(&lab).await), ["key-1", "key-2"]);
    obey(&lab, r#"{"lag": {"by": "0s"}}"#).await;
    let raw = fetch(&lab).await.unwrap();
    assert_eq!((kids_of(&raw.json()), raw.header("age")), (vec!["key-2".to_owned()], None));
}
