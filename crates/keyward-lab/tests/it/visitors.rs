//! A doctor who looks leaves no trace, and what clients are refused for is written down.

use keyward_jose::Algorithm;
use keyward_lab::Lab;
use keyward_lab::control::Control;
use keyward_lab::fault::{Endpoint, Fault};
use keyward_lab::plan::IssuerPlan;
use serde_json::json;

use crate::assertion::Party;
use crate::support::{client, fail, jwks_uri, kids_of, lab, lab_with, obey};

/// What a doctor gets.
async fn look(url: &str) -> reqwest::Response {
    client().get(url).header("user-agent", "keyward-doctor/0.1.0").send().await.unwrap()
}

#[tokio::test]
async fn a_doctor_is_not_counted_and_takes_nobody_s_turn() {
    let lab = lab().await;
    obey(&lab, r#"{"generate": [{"kid": "key-2"}], "nodes": [["key-1"], ["key-2"]]}"#).await;
    let url = jwks_uri(&lab);
    let set = async |answer: reqwest::Response| kids_of(&answer.json().await.unwrap());
    assert_eq!(set(look(&url).await).await, ["key-1"]);
    assert_eq!(set(client().get(&url).send().await.unwrap()).await, ["key-1"]);
    assert_eq!(set(look(&url).await).await, ["key-2"]);
    assert_eq!(set(client().get(&url).send().await.unwrap()).await, ["key-2"]);
    let counts = lab.counts("main")[&Endpoint::Jwks];
    assert_eq!((counts.connections, counts.requests), (2, 2));
    fail(&lab, Endpoint::Jwks, Fault::Flap(2)).await;
    assert_eq!(look(&url).await.status(), 503);
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(client().get(&url).send().await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [503, 200]);
    assert_eq!(look(&url).await.status(), 200);
}

async fn introspect(lab: &Lab, secret: &str, agent: &str) -> u16 {
    let url = lab.issuer("main").unwrap().introspection_endpoint;
    let form = [("client_id", "drill"), ("client_secret", secret), ("token", "x")];
    client().post(url).header("user-agent", agent).form(&form).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn what_a_client_is_refused_for_is_written_and_what_a_doctor_is_not() {
    let lab = lab().await;
    assert_eq!(introspect(&lab, "wrong", "keyward-doctor/0.1.0").await, 401);
    assert_eq!(introspect(&lab, "drill", "somebody").await, 200);
    assert_eq!(lab.provider_log(None, 0).unwrap().lines, Vec::<String>::new());
    assert_eq!(introspect(&lab, "wrong", "somebody").await, 401);
    obey(&lab, r#"{"client": {"drill": {"state": "unknown"}}}"#).await;
    assert_eq!(introspect(&lab, "wrong", "somebody").await, 401);
    let log = lab.provider_log(Some("main"), 0).unwrap();
    let [secret, unknown] = log.lines.as_slice() else { panic!("{log:?}") };
    let says = "endpoint=introspection status=401 error=invalid_client client_id=drill cause=\"the secret is wrong\"";
    assert!(secret.ends_with(says), "{secret}");
    assert!(unknown.ends_with("cause=\"the client is not known\""), "{unknown}");
    assert_eq!(lab.provider_log(None, log.next).unwrap().lines, Vec::<String>::new());
    assert!(lab.provider_log(Some("other"), 0).is_err());
    let control = Control::bind(&lab, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let url = format!("http://{}/log", control.address());
    let text = client().get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, format!("{secret}\n{unknown}\n"));
}

#[tokio::test]
async fn an_assertion_that_zitadel_does_not_answer_for_has_its_cause_in_the_log() {
    let plan = r#"{"errors": "zitadel", "client": {"robot": {"kind": "service_account",
        "keys": [{"kid": "robot-1", "algorithm": "ES256"}]}}}"#;
    let lab = lab_with(serde_json::from_str::<IssuerPlan>(plan).unwrap()).await;
    obey(&lab, r#"{"client": {"robot": {"keys": {"robot-1": "not_projected"}}}}"#).await;
    let robot = Party::of(&lab, "robot", "robot-1", Algorithm::Es256);
    assert_eq!(robot.exchange(&lab, json!({})).await.0, 500);
    obey(&lab, r#"{"client": {"robot": {"keys": {"robot-1": "expired"}}}}"#).await;
    assert_eq!(robot.exchange(&lab, json!({})).await.0, 500);
    let lines = lab.provider_log(None, 0).unwrap().lines;
    assert!(lines[0].contains("QUERY-Tha6f Message=Errors.AuthNKey.NotFound"), "{}", lines[0]);
    assert!(lines[1].contains("(the key has expired)"), "{}", lines[1]);
}
