//! Incident A1: one opaque 500 for at least six causes.

use keyward::credentials::CredentialSettings;
use keyward_doctor::diagnosis::Certainty;
use keyward_doctor::facts::Variation;
use keyward_lab::client::KeyFileForm;
use serde_json::{Value, json};

use super::Ours;

fn zitadel(kind: &str) -> Value {
    json!({
        "errors": "zitadel",
        "client": { "robot": { "kind": kind, "keys": [{ "kid": "robot-1", "algorithm": "RS256" }] } },
    })
}

async fn broken(breaks: Value) -> (Ours, CredentialSettings) {
    let ours = Ours::at(zitadel("service_account")).await;
    ours.obey(json!({ "client": { "robot": breaks } })).await;
    let credential = ours.jwt_bearer("robot", KeyFileForm::ServiceAccount);
    (ours, credential)
}

#[tokio::test]
async fn a_credential_that_is_taken_is_shown_once_and_found_healthy() {
    let (ours, credential) = broken(json!({})).await;
    let look = ours.looked(credential).await;
    assert_eq!(look.roots(), [] as [&str; 0], "{:#?}", look.diagnosis);
    assert_eq!(look.variations(), [Variation::Configured, Variation::Configured]);
    let healthy: Vec<_> = look.diagnosis.healthy.iter().map(|healthy| healthy.what.as_str()).collect();
    assert!(healthy.iter().any(|what| what.contains("takes our credential (bearer_jwt)")), "{healthy:?}");
}

#[tokio::test]
async fn an_application_key_for_the_grant_is_found_by_its_file_and_proved_as_a_clients() {
    let ours = Ours::at(zitadel("application")).await;
    let look = ours.looked(ours.jwt_bearer("robot", KeyFileForm::Application)).await;
    let fix = [r#"\"type\": \"application\""#, r#"method = \"private_key_jwt\""#, "AuthNKey", "accepted"];
    look.says("KW2101", Certainty::Certain, &[fix[0], fix[1], fix[3]]);
    assert_eq!(look.variations(), [Variation::AsClientAssertion]);
}

#[tokio::test]
async fn an_applications_key_whose_file_says_nothing_is_found_because_it_is_taken_as_a_clients() {
    let ours = Ours::at(zitadel("application")).await;
    let look = ours.looked(ours.jwt_bearer("robot", KeyFileForm::Pem)).await;
    look.says("KW2101", Certainty::Certain, &["with the key as a client's: accepted"]);
}

#[tokio::test]
async fn an_opaque_500_is_called_so_with_what_was_excluded_and_how_to_find_out() {
    for breaks in [
        json!({ "keys": { "robot-1": "disabled" } }),
        json!({ "keys": { "robot-1": "expired" } }),
        json!({ "keys": { "robot-1": "not_projected" } }),
        json!({ "assertions": { "refused": "no_kid" } }),
        json!({ "assertions": { "refused": "wrong_issuer" } }),
    ] {
        let (ours, credential) = broken(breaks).await;
        let look = ours.looked(credential).await;
        look.says(
            "KW2107",
            Certainty::Likely,
            &[
                "excluded: a missing kid",
                "a wrong issuer",
                "the clocks",
                "possible: the key is disabled",
                "--provider-log",
            ],
        );
    }
}

#[tokio::test]
async fn the_providers_log_tells_the_causes_apart() {
    for (breaks, code, certainty) in [
        (json!({ "keys": { "robot-1": "disabled" } }), "KW2103", Certainty::Certain),
        (json!({ "keys": { "robot-1": "expired" } }), "KW2104", Certainty::Certain),
        (json!({ "assertions": { "refused": "no_kid" } }), "KW2105", Certainty::Certain),
        (json!({ "assertions": { "refused": "wrong_issuer" } }), "KW2106", Certainty::Certain),
        // The kind is right and the kid is there: it was deleted, or is not seen yet.
        (json!({ "keys": { "robot-1": "not_projected" } }), "KW2102", Certainty::Likely),
    ] {
        let (ours, credential) = broken(breaks).await;
        let ours = ours.logged(&credential).await;
        let look = ours.looked(credential).await;
        look.says(code, certainty, &["the provider's log"]);
    }
}

#[tokio::test]
async fn a_key_that_is_not_found_and_has_no_name_is_one_that_nobody_can_look_for() {
    let ours = Ours::at(zitadel("service_account")).await;
    let CredentialSettings::Bearer(mut bearer) = ours.jwt_bearer("robot", KeyFileForm::Pem) else { panic!() };
    if let keyward::credentials::Grant::JwtBearer { key, .. } = &mut bearer.grant {
        key.kid = None;
    }
    let look = ours.looked(CredentialSettings::Bearer(bearer)).await;
    look.says("KW2105", Certainty::Likely, &["key_id"]);
}

#[tokio::test]
async fn a_key_in_somebody_elses_name_is_found_by_what_its_file_says() {
    let ours = Ours::at(zitadel("service_account")).await;
    let CredentialSettings::Bearer(mut bearer) = ours.jwt_bearer("robot", KeyFileForm::ServiceAccount) else {
        panic!()
    };
    if let keyward::credentials::Grant::JwtBearer { subject, .. } = &mut bearer.grant {
        *subject = Some("somebody".to_owned());
    }
    let look = ours.looked(CredentialSettings::Bearer(bearer)).await;
    look.says("KW2106", Certainty::Likely, &["robot", "somebody"]);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_whoever_asks_is_no_matter_of_our_key() {
    let (ours, credential) = broken(json!({})).await;
    ours.obey(json!({ "fault": { "token": { "status": { "code": 500 } } } })).await;
    let look = ours.looked(credential).await;
    look.says("KW2107", Certainty::Certain, &["whoever asks", "without any credential"]);
    assert_eq!(look.variations(), [Variation::Configured, Variation::NoCredential]);
}

#[tokio::test]
async fn a_provider_that_names_the_cause_is_believed_and_asked_no_more_than_needed() {
    for (breaks, code) in [
        (json!({ "keys": { "robot-1": "disabled" } }), "KW2103"),
        (json!({ "keys": { "robot-1": "expired" } }), "KW2104"),
        (json!({ "keys": { "robot-1": "not_projected" } }), "KW2102"),
        (json!({ "assertions": { "refused": "no_kid" } }), "KW2105"),
        (json!({ "assertions": { "refused": "wrong_issuer" } }), "KW2106"),
        (json!({ "assertions": { "refused": "signature" } }), "KW2209"),
        (json!({ "state": "disabled" }), "KW2208"),
        (json!({ "state": "unknown" }), "KW2203"),
    ] {
        let mut plan = zitadel("service_account");
        plan["errors"] = json!("rfc");
        let ours = Ours::at(plan).await;
        ours.obey(json!({ "client": { "robot": breaks } })).await;
        let look = ours.looked(ours.jwt_bearer("robot", KeyFileForm::ServiceAccount)).await;
        look.says(code, Certainty::Certain, &["the provider names the cause"]);
        assert_eq!(look.variations(), [Variation::Configured], "{code}");
    }
}

#[tokio::test]
async fn what_a_key_file_says_of_its_end_and_who_may_read_it_are_facts_and_nothing_secret_is() {
    let (ours, _) = broken(json!({ "keys": { "robot-1": "expired" } })).await;
    let text = ours.lab.key_file(None, "robot", None, KeyFileForm::ServiceAccount).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    file["expirationDate"] = json!("2020-01-01T00:00:00Z");
    let credential = ours.jwt_bearer("robot", KeyFileForm::ServiceAccount);
    let path = ours.file("robot.key", &file.to_string());
    let look = ours.looked(credential.clone()).await;
    look.says("KW2104", Certainty::Likely, &["2020-01-01T00:00:00Z"]);
    let facts = look.introspection().credential.key_file.as_ref().unwrap();
    assert_eq!((facts.kind.as_deref(), facts.kid.as_deref()), (Some("serviceaccount"), Some("robot-1")));
    assert_eq!((facts.owner.as_deref(), facts.expires_at), (Some("robot"), Some(1_577_836_800)));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let look = ours.looked(credential).await;
    assert_eq!(look.roots(), ["KW2104", "KW2212"]);
    let secret = file["key"].as_str().unwrap().lines().nth(1).unwrap();
    assert!(!serde_json::to_string(&look.facts).unwrap().contains(secret));
}
