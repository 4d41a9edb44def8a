//! Each fault, over a socket: it does what it says, and nothing of it is left when it is mended.

use std::io::Read;
use std::time::Duration;

use keyward_lab::command::Command;
use keyward_lab::fault::{Endpoint, Fault, RedirectTo};
use keyward_lab::plan::IssuerPlan;
use keyward_lab::{CommandError, Lab};
use tokio::io::AsyncReadExt;

use crate::support::{
    ask, client, dial, ends, fail, fetch, hear, hear_head, jwks_uri, kids, lab, mend, silent,
};

/// It is as if nothing had been.
async fn mended(lab: &Lab) {
    mend(lab, Endpoint::Jwks).await;
    let raw = fetch(&jwks_uri(lab)).await.unwrap();
    assert_eq!((raw.status(), raw.header("content-type")), (200, Some("application/json")));
    assert_eq!(raw.json()["keys"][0]["kid"], "key-1");
    assert_eq!(lab.faults("main").len(), 0);
}

#[tokio::test]
async fn a_lab_answers_well_until_it_is_told_otherwise() {
    let lab = lab().await;
    let addresses = lab.issuer("main").unwrap();
    for path in ["openid-configuration", "oauth-authorization-server"] {
        let metadata = fetch(&format!("{}/.well-known/{path}", addresses.issuer)).await.unwrap().json();
        assert_eq!(metadata["issuer"], addresses.issuer.as_str());
        assert_eq!(metadata["jwks_uri"], addresses.jwks_uri.as_str());
        assert_eq!(metadata["token_endpoint"], addresses.token_endpoint.as_str());
        assert_eq!(metadata["introspection_endpoint"], addresses.introspection_endpoint.as_str());
        assert_eq!(metadata["id_token_signing_alg_values_supported"][0], "ES256");
    }
    mended(&lab).await;
    assert_eq!(fetch(&format!("{}/nothing", addresses.issuer)).await.unwrap().status(), 404);
    assert_eq!(client().post(&addresses.jwks_uri).send().await.unwrap().status(), 405);
    let counts = lab.counts("main");
    assert_eq!((counts[&Endpoint::Discovery].requests, counts[&Endpoint::Jwks].requests), (3, 2));
    assert_eq!((counts[&Endpoint::Discovery].connections, counts[&Endpoint::Token].connections), (3, 0));
}

#[tokio::test]
async fn refuse_closes_the_port() {
    let lab = lab().await;
    for _ in 0..3 {
        fail(&lab, Endpoint::Jwks, Fault::Refuse).await;
        let error = dial(&jwks_uri(&lab)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        mended(&lab).await;
    }
}

#[tokio::test]
async fn hang_accepts_and_says_nothing() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::Hang).await;
    let mut hung = dial(&jwks_uri(&lab)).await.unwrap();
    ask(&mut hung, &jwks_uri(&lab)).await;
    assert!(silent(&mut hung).await);
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].connections, 1);
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].requests, 0);
    mended(&lab).await;
    assert!(ends(&mut hung).await, "half an exchange cannot go on");
}

#[tokio::test]
async fn hang_after_head_sends_the_head_alone() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::HangAfterHead).await;
    let mut hung = dial(&jwks_uri(&lab)).await.unwrap();
    ask(&mut hung, &jwks_uri(&lab)).await;
    assert!(hear_head(&mut hung).await.unwrap().starts_with("HTTP/1.1 200 OK"));
    assert!(silent(&mut hung).await);
    mended(&lab).await;
    assert!(ends(&mut hung).await);
}

#[tokio::test]
async fn a_delay_delays() {
    let lab = lab().await;
    let delay: Fault = serde_json::from_str(r#"{"delay": "2s"}"#).unwrap();
    fail(&lab, Endpoint::Jwks, delay).await;
    let mut late = dial(&jwks_uri(&lab)).await.unwrap();
    ask(&mut late, &jwks_uri(&lab)).await;
    assert!(silent(&mut late).await);
    assert_eq!(hear(&mut late).await.unwrap().status(), 200);
    mended(&lab).await;
}

#[tokio::test]
async fn a_drip_comes_octet_by_octet() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::Drip).await;
    let mut slow = dial(&jwks_uri(&lab)).await.unwrap();
    ask(&mut slow, &jwks_uri(&lab)).await;
    let head = hear_head(&mut slow).await.unwrap();
    assert!(!head.contains("content-length: 0"), "{head}");
    assert!(silent(&mut slow).await);
    assert_eq!(slow.read_u8().await.unwrap(), b'{');
    mended(&lab).await;
    assert!(ends(&mut slow).await);
}

#[tokio::test]
async fn close_midway_cuts_the_body() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::CloseMidway).await;
    let mut cut = dial(&jwks_uri(&lab)).await.unwrap();
    ask(&mut cut, &jwks_uri(&lab)).await;
    let head = hear_head(&mut cut).await.unwrap();
    let length: usize =
        head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let mut half = Vec::new();
    let _ = cut.read_to_end(&mut half).await;
    assert_eq!(half.len(), length / 2);
    mended(&lab).await;
}

#[tokio::test]
async fn any_status_comes_with_retry_after_where_it_is_wanted() {
    let lab = lab().await;
    for code in [401, 403, 404, 500, 503] {
        fail(&lab, Endpoint::Jwks, Fault::Status { code, retry_after: None }).await;
        let raw = fetch(&jwks_uri(&lab)).await.unwrap();
        assert_eq!((raw.status(), raw.header("retry-after")), (code, None));
        assert!(raw.json()["error"].is_string());
    }
    fail(&lab, Endpoint::Jwks, Fault::Status { code: 429, retry_after: Some(17) }).await;
    let raw = fetch(&jwks_uri(&lab)).await.unwrap();
    assert_eq!((raw.status(), raw.header("retry-after")), (429, Some("17")));
    mended(&lab).await;
}

#[tokio::test]
async fn bodies_that_are_wrong() {
    let lab = lab().await;
    let right = fetch(&jwks_uri(&lab)).await.unwrap().body;
    fail(&lab, Endpoint::Jwks, Fault::Html).await;
    let raw = fetch(&jwks_uri(&lab)).await.unwrap();
    assert_eq!((raw.status(), raw.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(raw.body.starts_with(b"<!DOCTYPE html>"));
    fail(&lab, Endpoint::Jwks, Fault::TruncatedJson).await;
    assert_eq!(fetch(&jwks_uri(&lab)).await.unwrap().body, right[..right.len() / 2]);
    fail(&lab, Endpoint::Jwks, Fault::WrongContentType).await;
    let raw = fetch(&jwks_uri(&lab)).await.unwrap();
    assert_eq!((raw.header("content-type"), &raw.body), (Some("text/plain"), &right));
    mended(&lab).await;
}

#[tokio::test]
async fn oversized_is_fifty_megabytes_without_a_length() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::Oversized).await;
    let mut answer = client().get(jwks_uri(&lab)).send().await.unwrap();
    assert_eq!(answer.content_length(), None);
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"{\"keys\":["));
    let mut octets = first.len();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        octets += chunk.len();
    }
    assert_eq!(octets, 50_000_000);
    mended(&lab).await;
}

#[tokio::test]
async fn a_gzip_bomb_unpacks_to_a_gibibyte() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::GzipBomb).await;
    let raw = fetch(&jwks_uri(&lab)).await.unwrap();
    assert_eq!(raw.header("content-encoding"), Some("gzip"));
    assert!(raw.body.len() < 2 << 20, "{}", raw.body.len());
    // Its length and its checksum are looked at by the decoder at the end.
    let mut unpacked = flate2::read::GzDecoder::new(raw.body.as_slice());
    let mut start = [0; 9];
    unpacked.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"{\"keys\":[");
    assert_eq!(std::io::copy(&mut unpacked, &mut std::io::sink()).unwrap(), 1 << 30);
    mended(&lab).await;
}

#[tokio::test]
async fn redirects_lead_where_they_say() {
    let lab = lab().await;
    let here = jwks_uri(&lab);
    for (to, location) in [
        (RedirectTo::LinkLocal, "http://169.254.13.37/jwks"),
        (RedirectTo::Metadata, "http://169.254.169.254/latest/meta-data/"),
        (RedirectTo::Itself, here.as_str()),
        (RedirectTo::Url("https://idp.example/keys".to_owned()), "https://idp.example/keys"),
    ] {
        fail(&lab, Endpoint::Jwks, Fault::Redirect(to)).await;
        let raw = fetch(&here).await.unwrap();
        assert_eq!((raw.status(), raw.header("location")), (302, Some(location)));
    }
    fail(&lab, Endpoint::Jwks, Fault::Redirect(RedirectTo::OtherHost)).await;
    let there = fetch(&here).await.unwrap().header("location").unwrap().to_owned();
    assert_eq!(there, here.replace("127.0.0.1", "localhost"));
    assert_eq!(fetch(&there).await.unwrap().status(), 200, "it answers well there");
    mended(&lab).await;
}

#[tokio::test]
async fn a_flap_answers_one_time_in_so_many() {
    let lab = lab().await;
    fail(&lab, Endpoint::Jwks, Fault::Flap(3)).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(fetch(&jwks_uri(&lab)).await.unwrap().status());
    }
    assert_eq!(statuses, [503, 503, 200, 503, 503, 200]);
    mended(&lab).await;
}

#[tokio::test]
async fn a_fault_is_of_one_endpoint_unless_it_is_of_all() {
    let lab = lab().await;
    fail(&lab, Endpoint::Discovery, Fault::Refuse).await;
    assert_eq!(kids(&lab).await, ["key-1"]);
    let command = r#"{"fault": {"all": "refuse", "jwks": {"status": {"code": 500}}}}"#;
    lab.obey(&serde_json::from_str::<Command>(command).unwrap()).await.unwrap();
    assert_eq!(fetch(&jwks_uri(&lab)).await.unwrap().status(), 500);
    let addresses = lab.issuer("main").unwrap();
    for url in [addresses.issuer, addresses.token_endpoint, addresses.introspection_endpoint] {
        assert!(dial(&url).await.is_err());
    }
    mend(&lab, Endpoint::All).await;
    assert_eq!(lab.faults("main").len(), 0);
    assert_eq!(kids(&lab).await, ["key-1"]);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let lab = lab().await;
    let refused = [
        r#"{"fault": {"jwks": "refuse", "token": {"status": {"code": 99}}}}"#,
        r#"{"fault": {"jwks": "refuse", "token": {"flap": 0}}}"#,
        r#"{"fault": {"jwks": "refuse", "token": {"redirect": "http"}}}"#,
        r#"{"fault": {"jwks": "refuse", "token": {"redirect": {"url": "a\nb"}}}}"#,
        r#"{"fault": {"jwks": "refuse"}, "publish": ["key-2"]}"#,
        r#"{"fault": {"jwks": "refuse"}, "generate": [{"kid": "key-1"}]}"#,
        r#"{"fault": {"jwks": "refuse"}, "sign_with": "key-2"}"#,
        r#"{"fault": {"jwks": "refuse"}, "nodes": [["key-1"], ["key-2"]]}"#,
        r#"{"fault": {"jwks": "refuse"}, "beside": [{"duplicate_of": "key-2"}]}"#,
        r#"{"fault": {"jwks": "refuse"}, "beside": [{"raw": "{"}]}"#,
        r#"{"fault": {"jwks": "refuse"}, "jwks_uri": "http"}"#,
        r#"{"fault": {"jwks": "refuse"}, "rotate": {"every": {"period": "0s"}}}"#,
        r#"{"fault": {"jwks": "refuse"}, "issuer": "other"}"#,
        r#"{"withdraw": ["key-1"], "empty": true, "publish": ["key-2"]}"#,
    ];
    for command in refused {
        let command: Command = serde_json::from_str(command).unwrap();
        assert!(lab.obey(&command).await.is_err(), "{command:?}");
        assert_eq!(kids(&lab).await, ["key-1"], "{command:?}");
    }
    let unknown = lab.obey(&Command { publish: vec!["key-2".to_owned()], ..Command::default() }).await;
    assert_eq!(unknown.unwrap_err().to_string(), "issuer \"main\" has no key \"key-2\"; it has key-1");
    let elsewhere = lab.obey(&Command { issuer: Some("other".to_owned()), ..Command::default() }).await;
    assert!(matches!(elsewhere, Err(CommandError::UnknownIssuer { issuers, .. }) if issuers == ["main"]));
}

#[tokio::test]
async fn everything_ends_with_the_last_handle() {
    let lab = crate::support::lab_with(IssuerPlan::default()).await;
    let uri = jwks_uri(&lab);
    let mut open = dial(&uri).await.unwrap();
    ask(&mut open, &uri).await;
    hear(&mut open).await.unwrap();
    let other = lab.clone();
    drop(lab);
    assert_eq!(kids(&other).await, ["key-1"]);
    drop(other);
    assert!(ends(&mut open).await);
    while dial(&uri).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
