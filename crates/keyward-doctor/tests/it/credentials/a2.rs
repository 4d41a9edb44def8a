//! Incident A2: introspection refuses our own credential.

use keyward::credentials::{Audience, ClientSettings, CredentialSettings};
use keyward_doctor::diagnosis::Certainty;
use keyward_doctor::facts::Variation;
use keyward_lab::client::KeyFileForm;
use serde_json::json;

use super::{Ours, gateway_client, gateway_key};

#[tokio::test]
async fn a_secret_a_key_and_a_bearer_that_are_taken_are_found_healthy() {
    let mut plan = gateway_client("s3cret");
    plan["client"]["gateway"]["keys"] = gateway_key()["client"]["gateway"]["keys"].clone();
    let ours = Ours::at(plan).await;
    for credential in [
        ours.secret("gateway", "s3cret", false),
        ours.secret("gateway", "s3cret", true),
        ours.private_key_jwt("gateway", KeyFileForm::Pem),
        ours.private_key_jwt("gateway", KeyFileForm::Application),
    ] {
        let look = ours.looked(credential).await;
        assert_eq!(look.roots(), [] as [&str; 0], "{:#?}", look.diagnosis);
        assert_eq!(look.variations(), [Variation::Configured]);
    }
}

#[tokio::test]
async fn what_a_provider_says_of_every_secret_alike_is_not_guessed() {
    for (client, secret) in [("gateway", "wrong"), ("nobody-knows-us", "s3cret")] {
        let ours = Ours::at(gateway_client("s3cret")).await;
        let look = ours.looked(ours.secret(client, secret, false)).await;
        look.says(
            "KW2207",
            Certainty::Likely,
            &["possible: the secret is wrong", "the other way to send a secret", "--provider-log"],
        );
        let expected = [Variation::Configured, Variation::OtherMethod, Variation::NobodysName];
        assert_eq!(look.variations(), expected);
    }
}

#[tokio::test]
async fn the_providers_log_tells_a_wrong_secret_an_unknown_and_a_disabled_client_apart() {
    for (client, secret, state, code) in [
        ("gateway", "wrong", "enabled", "KW2201"),
        ("nobody-knows-us", "s3cret", "enabled", "KW2203"),
        ("gateway", "s3cret", "unknown", "KW2203"),
        ("gateway", "s3cret", "disabled", "KW2208"),
    ] {
        let ours = Ours::at(gateway_client("s3cret")).await;
        ours.obey(json!({ "client": { "gateway": { "state": state } } })).await;
        let credential = ours.secret(client, secret, false);
        let ours = ours.logged(&credential).await;
        let look = ours.looked(credential).await;
        look.says(code, Certainty::Certain, &["the provider's log"]);
    }
}

#[tokio::test]
async fn keys_that_are_expired_disabled_unknown_or_others_are_named() {
    for (breaks, code) in [
        (json!({ "keys": { "gateway-1": "expired" } }), "KW2104"),
        (json!({ "keys": { "gateway-1": "disabled" } }), "KW2103"),
        (json!({ "keys": { "gateway-1": "not_projected" } }), "KW2102"),
        (json!({ "assertions": { "refused": "unknown_key" } }), "KW2202"),
        (json!({ "assertions": { "refused": "not_yet_valid" } }), "KW2205"),
        (json!({ "state": "disabled" }), "KW2208"),
        (json!({ "state": "unknown" }), "KW2203"),
        (json!({ "kind": "service_account" }), "KW2109"),
    ] {
        let ours = Ours::at(gateway_key()).await;
        ours.obey(json!({ "client": { "gateway": breaks } })).await;
        let look = ours.looked(ours.private_key_jwt("gateway", KeyFileForm::Pem)).await;
        look.says(code, Certainty::Certain, &["the provider names the cause"]);
    }
}

#[tokio::test]
async fn an_audience_that_is_taken_is_written_down_as_it_belongs_into_the_configuration() {
    for style in ["rfc", "zitadel"] {
        let mut plan = gateway_key();
        plan["errors"] = json!(style);
        let ours = Ours::at(plan).await;
        ours.obey(json!({ "assertion_audience": "endpoint" })).await;
        let look = ours.looked(ours.private_key_jwt("gateway", KeyFileForm::Pem)).await;
        look.says("KW2204", Certainty::Certain, &[r#"assertion_audience = \"endpoint\""#]);
        assert_eq!(look.variations(), [Variation::Configured, Variation::ForEndpoint]);
    }
    let ours = Ours::at(gateway_key()).await;
    ours.obey(json!({ "assertion_audience": "issuer" })).await;
    let CredentialSettings::Client(ClientSettings::PrivateKeyJwt { client_id, key, .. }) =
        ours.private_key_jwt("gateway", KeyFileForm::Pem)
    else {
        panic!()
    };
    let audience = Audience::Endpoint;
    let look = ours
        .looked(CredentialSettings::Client(ClientSettings::PrivateKeyJwt { client_id, key, audience }))
        .await;
    look.says("KW2204", Certainty::Certain, &[r#"assertion_audience = \"issuer\""#]);
}

#[tokio::test]
async fn an_assertion_by_the_providers_clock_proves_that_the_clocks_are_the_cause() {
    for ahead_s in [-90, 90] {
        let mut plan = gateway_key();
        plan["errors"] = json!("zitadel");
        let ours = Ours::at(plan).await;
        ours.obey(json!({ "clock": { "ahead_s": ahead_s } })).await;
        let look = ours.looked(ours.private_key_jwt("gateway", KeyFileForm::Pem)).await;
        assert_eq!(
            look.variations(),
            [Variation::Configured, Variation::ByProvidersClock],
            "{:#?}",
            look.calls()
        );
        let all = serde_json::to_string(&look.diagnosis).unwrap();
        assert!(all.contains("KW2205") && all.contains("by the provider's clock: accepted"), "{all}");
    }
}

#[tokio::test]
async fn a_key_that_is_unlike_one_that_does_not_exist_is_told_by_what_those_are_told() {
    // The lab says the same to all in this style, so that nothing can be held against anything.
    let mut plan = gateway_key();
    plan["errors"] = json!("zitadel");
    let ours = Ours::at(plan).await;
    ours.obey(json!({ "client": { "gateway": { "keys": { "gateway-1": "disabled" } } } })).await;
    let look = ours.looked(ours.private_key_jwt("gateway", KeyFileForm::Pem)).await;
    look.says("KW2207", Certainty::Likely, &["possible: the client or its key is unknown"]);
    assert!(
        look.variations().ends_with(&[Variation::NobodysName, Variation::NobodysKey]),
        "{:?}",
        look.variations()
    );
}

#[tokio::test]
async fn a_service_accounts_key_for_a_client_is_found_by_its_file() {
    let ours = Ours::at(json!({
        "errors": "zitadel",
        "client": { "robot": { "kind": "service_account", "keys": [{ "kid": "robot-1", "algorithm": "RS256" }] } },
    }))
    .await;
    let look = ours.looked(ours.private_key_jwt("robot", KeyFileForm::ServiceAccount)).await;
    look.says("KW2109", Certainty::Certain, &["serviceaccount", r#"grant = \"jwt_bearer\""#, "accepted"]);
}

#[tokio::test]
async fn a_bearer_from_a_file_and_files_that_are_of_no_use_are_named() {
    let ours = Ours::at(gateway_client("s3cret")).await;
    let token_file = ours.file("token", "a-token-that-is-over");
    let look = ours.looked(CredentialSettings::BearerFile { token_file: token_file.clone() }).await;
    look.says("KW2210", Certainty::Likely, &["the token from the file"]);
    std::fs::remove_file(&token_file).unwrap();
    let look = ours.looked(CredentialSettings::BearerFile { token_file }).await;
    look.says("KW2211", Certainty::Certain, &["cannot be read"]);
}
