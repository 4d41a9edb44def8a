//! A provider recorded, and answered for by the lab afterwards.

use std::time::Duration;

use keyward_lab::exchange::{Exchange, Failure, Outcome};
use keyward_lab::fault::{Endpoint, Fault};
use keyward_lab::plan::IssuerPlan;
use keyward_lab::record::Recording;
use keyward_lab::{Lab, LabError, ReplayError, Sockets};

use crate::support::{ask, fail, fetch, hear, jwks_uri, kids, kids_of, lab, lab_with, mend, plan, split};

#[tokio::test]
async fn what_a_provider_said_is_said_again_from_another_address() {
    let provider =
        lab_with(IssuerPlan { cache_control: Some("max-age=60".to_owned()), ..IssuerPlan::default() }).await;
    let mut recording = Recording::start(&provider.issuer("main").unwrap().issuer, b"").unwrap();
    let mut written = Vec::new();
    recording.run(2, Duration::from_millis(10), &mut written).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("provider.jsonl");
    std::fs::write(&path, &written).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(!text.contains("date"), "only the headers that say how long it is good");

    let replay = lab_with(IssuerPlan { replay: Some(path), ..IssuerPlan::default() }).await;
    let addresses = replay.issuer("main").unwrap();
    let discovery = format!("{}/.well-known/openid-configuration", addresses.issuer);
    let metadata = fetch(&discovery).await.unwrap().json();
    assert_eq!(metadata["issuer"], addresses.issuer.as_str());
    assert_eq!(metadata["jwks_uri"], addresses.jwks_uri.as_str());
    assert_eq!(metadata["token_endpoint"], addresses.token_endpoint.as_str());
    let (was, is) = (fetch(&jwks_uri(&provider)).await.unwrap(), fetch(&jwks_uri(&replay)).await.unwrap());
    assert_eq!(was.body, is.body);
    assert_eq!(is.header("cache-control"), Some("max-age=60"));
    // Its faults are its own.
    fail(&replay, Endpoint::Jwks, Fault::Refuse).await;
    assert!(fetch(&jwks_uri(&replay)).await.is_err());
}

#[tokio::test]
async fn a_failing_provider_is_recorded_as_it_fails() {
    let provider = lab().await;
    let mut recording = Recording::start(&provider.issuer("main").unwrap().issuer, b"").unwrap();
    let answered = recording.fetch().await;
    assert!(matches!(&answered[1].outcome, Outcome::Answer(answer) if answer.status == 200));
    let outcome = async |recording: &mut Recording, fault| {
        fail(&provider, Endpoint::Jwks, fault).await;
        let exchange = recording.fetch().await.remove(1);
        let line = serde_json::to_string(&exchange).unwrap();
        assert_eq!(serde_json::from_str::<Exchange>(&line).unwrap(), exchange);
        exchange.outcome
    };
    assert_eq!(outcome(&mut recording, Fault::Refuse).await, Outcome::Failure(Failure::Connect));
    assert_eq!(outcome(&mut recording, Fault::CloseMidway).await, Outcome::Failure(Failure::Body));
    assert_eq!(outcome(&mut recording, Fault::Oversized).await, Outcome::Failure(Failure::Body));
    let status = Fault::Status { code: 503, retry_after: Some(3) };
    let Outcome::Answer(answer) = outcome(&mut recording, status).await else { panic!("it answered") };
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains(&("retry-after".to_owned(), "3".to_owned())));
    mend(&provider, Endpoint::Jwks).await;
    assert_eq!(kids(&provider).await, ["key-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_replayed_in_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("provider.jsonl");
    let answer = |at_ms: u64, endpoint: &str, body: &str| {
        let answer = serde_json::json!({ "status": 200, "headers": [], "body": body });
        serde_json::json!({ "at_ms": at_ms, "endpoint": endpoint, "path": "/", "answer": answer }).to_string()
    };
    let lines = [
        answer(5, "discovery", r#"{"issuer": "https://idp.example"}"#),
        answer(5, "jwks", r#"{"keys": [{"kid": "a"}]}"#),
        r#"{"at_ms": 60000, "endpoint": "jwks", "path": "/", "failure": "timeout"}"#.to_owned(),
        answer(120_000, "jwks", r#"{"keys": [{"kid": "b"}]}"#),
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let lab =
        Lab::in_memory(&plan(IssuerPlan { replay: Some(path), ..IssuerPlan::default() }), 0, 1).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (host, port, _) = split(&jwks_uri(&lab));
        let mut io = lab.connect(&host, port).await.unwrap();
        ask(&mut io, &jwks_uri(&lab)).await;
        seen.push(hear(&mut io).await.map(|raw| kids_of(&raw.json()).join(" ")).ok());
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    assert_eq!(seen, [Some("a".to_owned()), Some("a".to_owned()), None, Some("b".to_owned())]);
}

#[tokio::test]
async fn a_file_that_is_no_recording_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    let start = async || {
        let plan = plan(IssuerPlan { replay: Some(path.clone()), ..IssuerPlan::default() });
        match Lab::on_sockets(&plan, &Sockets::default()).await {
            Err(LabError::Replay { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(start().await, ReplayError::Unreadable { .. }));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(start().await, ReplayError::Incomplete { endpoint: Endpoint::Discovery }));
    std::fs::write(&path, "\n{\"at_ms\": 0}\n").unwrap();
    assert!(matches!(start().await, ReplayError::Line { line: 2, .. }));
}
