//! The introspection endpoint itself.

use std::time::Duration;

use keyward::IssuerSettings;
use keyward::endpoint::EndpointPlace;
use keyward_doctor::diagnosis::Certainty;
use keyward_doctor::facts::Variation;
use serde_json::{Value, json};

use super::{Look, Ours, gateway_client};

async fn faulty(fault: Value) -> Look {
    let ours = Ours::at(gateway_client("s3cret")).await;
    ours.obey(json!({ "fault": { "introspection": fault } })).await;
    let mut settings = ours.settings(ours.secret("gateway", "s3cret", false));
    settings.introspection.as_mut().unwrap().timeout = Duration::from_millis(300);
    ours.looked_at(settings).await
}

#[tokio::test]
async fn each_way_to_fail_has_a_name_of_its_own() {
    for (fault, code) in [
        (json!("refuse"), "KW2301"),
        (json!("hang"), "KW2305"),
        (json!("hang_after_head"), "KW2305"),
        (json!({ "status": { "code": 500 } }), "KW2302"),
        (json!({ "status": { "code": 404 } }), "KW2303"),
        (json!({ "status": { "code": 429 } }), "KW2310"),
        (json!({ "status": { "code": 503, "retry_after": 60 } }), "KW2310"),
        (json!("html"), "KW2304"),
        (json!("truncated_json"), "KW2304"),
        (json!("wrong_content_type"), "KW2304"),
        (json!({ "active_as": "string" }), "KW2304"),
        (json!({ "redirect": "other_host" }), "KW2303"),
    ] {
        let look = faulty(fault.clone()).await;
        assert_eq!(look.roots(), [code], "{fault}: {:#?}\n{:#?}", look.diagnosis, look.introspection());
        assert!(!look.diagnosis.findings[0].fix.is_empty(), "{fault}");
    }
}

#[tokio::test]
async fn whoever_asks_to_be_left_alone_is() {
    for fault in
        [json!({ "status": { "code": 429 } }), json!({ "status": { "code": 401, "retry_after": 60 } })]
    {
        assert_eq!(faulty(fault).await.variations(), [Variation::Configured]);
    }
}

#[tokio::test]
async fn an_address_that_discovery_contradicts_is_named_with_the_right_one() {
    let ours = Ours::at(gateway_client("s3cret")).await;
    let addresses = ours.lab.issuer("main").unwrap();
    let right = addresses.introspection_endpoint.clone();
    let wrong = right.replace("/introspect", "/oauth/introspect");
    let credential = ours.secret("gateway", "s3cret", false);
    let at = |url: &str| -> IssuerSettings {
        let mut settings = ours.settings(credential.clone());
        settings.introspection.as_mut().unwrap().endpoint = EndpointPlace::Url(url.parse().unwrap());
        settings
    };
    let look = ours.looked_at(at(&wrong)).await;
    look.says("KW2303", Certainty::Certain, &[&format!("endpoint = \\\"{right}\\\"")]);
    assert_eq!(look.variations(), [Variation::Configured, Variation::DiscoveredEndpoint]);
    assert_eq!(ours.looked_at(at(&right)).await.roots(), [] as [&str; 0]);
}
