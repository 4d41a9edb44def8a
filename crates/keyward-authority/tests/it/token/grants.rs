//! Clients and service accounts in their own names, and what their tokens are for.

use keyward::{IssuerSettings, Verdict, Verifier};
use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, GrantType, Realm, ResourceServer, ServiceAccount};
use serde_json::{Value, json};

use super::office::{API, ISSUER, JWT_BEARER, NOW, OPAQUE, OTHER, Office, said};

const CLIENT_CREDENTIALS: (&str, &str) = ("grant_type", "client_credentials");

/// What Keyward's own verifier finds in a token, by the keys that are published, for this audience.
async fn verified(office: &Office, audience: &str, token: &Value) -> Value {
    let ring = office.authority.ring("main").await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ring.jwk_set()).unwrap();
    let mut issuer = IssuerSettings::jwks_file(ISSUER, file.path()).audience(audience);
    issuer.policy.token_types = vec!["at+jwt".into()];
    let verifier = Verifier::builder().issuer(issuer).clock(office.clock.clone()).start().unwrap();
    match verifier.verify(token.as_str().unwrap().as_bytes()).await {
        Verdict::Accept(verified) => serde_json::from_str(verified.claims().json()).unwrap(),
        verdict => panic!("{verdict:?}"),
    }
}

#[tokio::test]
async fn a_client_gets_a_token_in_its_own_name_that_any_verifier_takes() {
    let office = Office::open().await;
    let answer = office.ask_as("shop", &[CLIENT_CREDENTIALS]).await.unwrap();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert_eq!((&answer["scope"], answer.get("refresh_token")), (&json!("read write"), None));
    let claims = verified(&office, API, &answer["access_token"]).await;
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(jti.len(), 22);
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER, "sub": "shop", "subject_type": "client", "aud": API, "exp": NOW + 300, "iat": NOW,
            "jti": jti, "client_id": "shop", "scope": "read write",
        })
    );
    let again = office.ask_as("shop", &[CLIENT_CREDENTIALS]).await.unwrap();
    assert_ne!(said(&again["access_token"])["jti"], claims["jti"]);
}

#[tokio::test]
async fn a_service_account_needs_no_client_and_is_less_with_one() {
    let office = Office::open().await;
    let answer = office.robot("1", &[("resource", API)]).await.unwrap();
    let claims = verified(&office, API, &answer["access_token"]).await;
    let names = ["sub", "subject_type", "client_id", "scope"].map(|name| claims[name].as_str().unwrap());
    assert_eq!(names, ["robot", "service_account", "robot", "read"]);
    assert_eq!(answer.get("refresh_token"), None, "nobody is there to bind it to");

    let assertion = office.assertion("2").await;
    let shown = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let answer = office.ask_as("shop", &shown).await.unwrap();
    let claims = said(&answer["access_token"]);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("robot"), &json!("shop")));
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!(API), &json!("read")), "what both may have");
    assert!(answer["refresh_token"].as_str().unwrap().starts_with("kw_rt_"));
    assert_eq!(office.ask_as("shop", &shown).await, Err(Cause::AssertionReplayed));
    assert_eq!(office.ask(&[("grant_type", JWT_BEARER)]).await, Err(Cause::ParameterMissing));
    office.change::<ServiceAccount>("robot", |robot| robot.enabled = false).await;
    assert_eq!(office.robot("3", &[]).await, Err(Cause::ServiceAccountDisabled));
}

#[tokio::test]
async fn who_may_not_ask_by_a_grant_is_told_so() {
    let office = Office::open().await;
    let ask = async |grant: &str| office.ask_as("shop", &[("grant_type", grant)]).await;
    assert_eq!(office.ask_as("shop", &[]).await, Err(Cause::ParameterMissing));
    assert_eq!(ask("password").await, Err(Cause::GrantUnsupported));
    assert_eq!(ask("authorization_code").await, Err(Cause::GrantUnsupported));
    assert_eq!(office.ask(&[CLIENT_CREDENTIALS]).await, Err(Cause::AuthenticationMissing));
    let public = office.ask(&[CLIENT_CREDENTIALS, ("client_id", "app")]).await;
    assert_eq!(public, Err(Cause::GrantNotAllowed), "anybody can be a public client");
    office.change::<Client>("shop", |shop| shop.grant_types = vec![GrantType::TokenExchange]).await;
    assert_eq!(ask("client_credentials").await, Err(Cause::GrantNotAllowed));
    office.change::<Client>("shop", |shop| shop.enabled = false).await;
    assert_eq!(ask("client_credentials").await, Err(Cause::ClientDisabled));
}

#[tokio::test]
async fn a_token_is_for_what_was_asked_for_and_never_for_more_than_is_allowed() {
    let office = Office::open().await;
    let ask = async |client: &str, parameters: &[(&str, &str)]| {
        let mut all = vec![CLIENT_CREDENTIALS];
        all.extend_from_slice(parameters);
        let answer = office.ask_as(client, &all).await?;
        let claims = said(&answer["access_token"]);
        Ok::<_, Cause>((claims["aud"].clone(), answer.get("scope").cloned()))
    };
    let granted = |audience: Value, scope: &str| Ok((audience, Some(json!(scope))));
    assert_eq!(ask("shop", &[("scope", "write")]).await, granted(json!(API), "write"));
    assert_eq!(ask("shop", &[("scope", " write  read write")]).await, granted(json!(API), "write read"));
    assert_eq!(ask("shop", &[("scope", "read admin")]).await, Err(Cause::ScopeNotAllowed));
    assert_eq!(ask("shop", &[("scope", "READ")]).await, Err(Cause::ScopeNotAllowed));
    assert_eq!(ask("shop", &[("resource", OTHER)]).await, Err(Cause::AudienceNotAllowed));
    assert_eq!(ask("shop", &[("audience", API)]).await, granted(json!(API), "read write"));
    assert_eq!(ask("wide", &[]).await, Err(Cause::AudienceUnclear));
    assert_eq!(ask("wide", &[("resource", OTHER)]).await, granted(json!(OTHER), "other"));
    let both = [("resource", API), ("resource", OTHER), ("audience", API)];
    assert_eq!(ask("wide", &both).await, granted(json!([API, OTHER]), "read other"));
    assert_eq!(ask("wide", &[("resource", API), ("scope", "other")]).await, Err(Cause::ScopeNotAllowed));
    assert_eq!(ask("wide", &[("resource", API), ("scope", "nobody's")]).await, Err(Cause::ScopeNotAllowed));
    let mixed = [("resource", API), ("resource", OPAQUE)];
    assert_eq!(ask("wide", &mixed).await, Err(Cause::AudienceUnclear), "one token has one form");
    for refused in ["https://api.example#part", "api.example", "/orders", "closed", "https://nowhere.example"]
    {
        assert_eq!(ask("wide", &[("resource", refused)]).await, Err(Cause::AudienceNotAllowed), "{refused}");
    }
    for refused in ["closed", "gone", "nobody"] {
        assert_eq!(ask("wide", &[("audience", refused)]).await, Err(Cause::AudienceNotAllowed), "{refused}");
    }
    assert_eq!(ask("checker", &[]).await, Err(Cause::AudienceNotAllowed), "it may have none at all");
    // The authority itself, which nobody declared.
    assert_eq!(ask("seer", &[]).await, granted(json!(ISSUER), "introspect"));
}

#[tokio::test]
async fn an_opaque_token_says_nothing_and_is_kept_as_its_hash() {
    let office = Office::open().await;
    let answer = office.ask_as("wide", &[CLIENT_CREDENTIALS, ("resource", OPAQUE)]).await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!((token.len(), answer["expires_in"].as_i64()), ("kw_at_".len() + 43, Some(60)));
    assert!(token.starts_with("kw_at_"), "whoever looks for leaked secrets knows it");
    assert!(office.store().token("main", token).await.unwrap().is_none());
    assert_eq!(office.introspect("checker", token).await.unwrap()["aud"], OPAQUE);
}

#[tokio::test]
async fn a_lifetime_is_the_shortest_of_all_who_have_one() {
    let office = Office::open().await;
    office.change::<Realm>("main", |realm| realm.access_token_lifetime = 100).await;
    let lifetime = async |parameters: &[(&str, &str)]| {
        let mut all = vec![CLIENT_CREDENTIALS];
        all.extend_from_slice(parameters);
        office.ask_as("wide", &all).await.unwrap()["expires_in"].as_i64().unwrap()
    };
    assert_eq!(lifetime(&[("resource", API)]).await, 100);
    office.change::<ResourceServer>(OTHER, |other| other.access_token_lifetime = Some(7)).await;
    assert_eq!(lifetime(&[("resource", OTHER)]).await, 7);
    assert_eq!(lifetime(&[("resource", API), ("resource", OTHER)]).await, 7);
}

#[tokio::test]
async fn nothing_is_said_of_anybody_while_the_database_cannot_be_read() {
    let office = Office::open().await;
    let request = office.request(&[CLIENT_CREDENTIALS, ("client_id", "app")]).await;
    office.store().clone().close().await;
    assert_eq!(office.answer(&request).await, Err(Cause::Unavailable));
}
