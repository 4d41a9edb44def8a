//! What is said of a token, to whom (RFC 7662, RFC 9701).

use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};
use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, ResourceServer, ServiceAccount};
use keyward_authority::http::introspect;
use keyward_jose::{DecodeBuffer, Jws, VerificationKey};
use serde_json::{Value, json};

use super::office::{API, ISSUER, JWT_BEARER, NOW, OPAQUE, OTHER, Office, SECRET};

async fn token(office: &Office, client: &str, resource: &str) -> String {
    let shown = [("grant_type", "client_credentials"), ("resource", resource)];
    office.ask_as(client, &shown).await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_resource_server_is_told_what_a_token_says_where_it_is_for_it_and_nothing_else() {
    let office = Office::open().await;
    let inactive = json!({ "active": false });
    for resource in [API, OPAQUE] {
        let own = token(&office, "wide", resource).await;
        let said = office.introspect("checker", &own).await.unwrap();
        assert_eq!(said["active"], true);
        assert_eq!(said["token_type"], "Bearer");
        assert_eq!(
            (&said["aud"], &said["client_id"], &said["iss"]),
            (&json!(resource), &json!("wide"), &json!(ISSUER))
        );
        assert_eq!((&said["scope"], &said["iat"]), (&json!("read"), &json!(NOW)));
        assert_eq!(said["sub"], "wide");
    }
    let others = token(&office, "wide", OTHER).await;
    assert_eq!(office.introspect("checker", &others).await.unwrap(), inactive);
    assert_eq!(office.introspect("seer", &others).await.unwrap()["active"], true);
    for none in ["x", "a.b.c", "kw_at_x", "kw_rt_x", &others[..others.len() - 4]] {
        assert_eq!(office.introspect("seer", none).await.unwrap(), inactive, "{none}");
    }
}

#[tokio::test]
async fn not_everybody_may_ask() {
    let office = Office::open().await;
    let token = token(&office, "shop", API).await;
    assert_eq!(office.introspect("shop", &token).await, Err(Cause::IntrospectionNotAllowed));
    let public = office.request(&[("client_id", "app"), ("token", &token)]).await;
    let public = introspect(&office.authority, &public).await.unwrap_err();
    assert_eq!(public.cause, Cause::IntrospectionNotAllowed);
    let nobody = office.request(&[("token", &token)]).await;
    let nobody = introspect(&office.authority, &nobody).await.unwrap_err();
    assert_eq!((nobody.cause, nobody.error.status()), (Cause::AuthenticationMissing, 401));
    let nothing = office.request(&[("client_id", "seer"), ("client_secret", SECRET)]).await;
    let nothing = introspect(&office.authority, &nothing).await.unwrap_err();
    assert_eq!(nothing.cause, Cause::ParameterMissing);
    office.change::<ResourceServer>(API, |api| api.introspected_by = Some("shop".to_owned())).await;
    assert_eq!(office.introspect("shop", &token).await.unwrap()["active"], true);
}

#[tokio::test]
async fn a_service_account_asks_with_a_token_for_the_authority_itself() {
    let office = Office::open().await;
    let about = token(&office, "shop", API).await;
    let bearer = office.robot("1", &[("resource", ISSUER)]).await.unwrap();
    let bearer = bearer["access_token"].as_str().unwrap();
    assert_eq!(office.introspect_by("Bearer", bearer, &about).await.unwrap()["active"], true);
    assert_eq!(office.introspect_by("bearer", bearer, "x").await.unwrap()["active"], false);
    assert_eq!(office.introspect_by("DPoP", bearer, &about).await, Err(Cause::BearerRefused));
    assert_eq!(office.introspect_by("Bearer", "x", &about).await, Err(Cause::BearerRefused));
    // What a resource server was sent is no key to this one.
    let for_api = office.robot("2", &[("resource", API)]).await.unwrap();
    let for_api = for_api["access_token"].as_str().unwrap();
    assert_eq!(office.introspect_by("Bearer", for_api, &about).await, Err(Cause::BearerRefused));
    office.change::<ServiceAccount>("robot", |robot| robot.scopes = vec![]).await;
    let without = office.robot("3", &[("resource", ISSUER)]).await.unwrap();
    let without = without["access_token"].as_str().unwrap();
    assert_eq!(office.introspect_by("Bearer", without, &about).await, Err(Cause::BearerScopeMissing));
    office.change::<ServiceAccount>("robot", |robot| robot.enabled = false).await;
    assert_eq!(office.introspect_by("Bearer", bearer, &about).await, Err(Cause::BearerRefused));
}

#[tokio::test]
async fn a_token_is_good_as_long_as_all_whom_it_names_are_let_in() {
    let office = Office::open().await;
    let own = token(&office, "shop", API).await;
    let opaque = token(&office, "wide", OPAQUE).await;
    let robot = office.robot("1", &[("resource", API)]).await.unwrap()["access_token"].clone();
    let robot = robot.as_str().unwrap();
    assert!(office.is_active(&own).await && office.is_active(&opaque).await && office.is_active(robot).await);
    office.change::<Client>("shop", |shop| shop.enabled = false).await;
    office.change::<Client>("wide", |wide| wide.enabled = false).await;
    office.change::<ServiceAccount>("robot", |robot| robot.enabled = false).await;
    assert!(
        !office.is_active(&own).await && !office.is_active(&opaque).await && !office.is_active(robot).await
    );
    for client in ["shop", "wide"] {
        office.change::<Client>(client, |client| client.enabled = true).await;
    }
    assert!(office.is_active(&own).await && office.is_active(&opaque).await);
    office.clock.advance(60);
    assert!(office.is_active(&own).await && !office.is_active(&opaque).await);
    office.clock.advance(240);
    assert!(!office.is_active(&own).await, "to the second");
}

#[tokio::test]
async fn an_answer_is_signed_for_whoever_asks_where_that_is_asked_for() {
    let office = Office::open().await;
    let token = token(&office, "shop", API).await;
    let key = {
        let ring = office.authority.ring("main").await.unwrap();
        let set: Value = serde_json::from_slice(ring.jwk_set()).unwrap();
        VerificationKey::from_jwk(set["keys"][0].to_string().as_bytes()).unwrap()
    };
    for (token, active) in [(token.as_str(), true), ("x", false)] {
        let shown = [("client_id", "checker"), ("client_secret", SECRET), ("token", token)];
        let mut request = office.request(&shown).await;
        let accept = "application/json;q=0.1, application/token-introspection+jwt";
        request.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let answer = introspect(&office.authority, &request).await.unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/token-introspection+jwt");
        let body = axum::body::to_bytes(answer.into_body(), 100_000).await.unwrap();
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(&body, Jws::DEFAULT_SIZE_LIMIT, &mut buffer).unwrap();
        assert!(jws.header().is_type("token-introspection+jwt"));
        let claims: Value = serde_json::from_slice(jws.verify(&key).unwrap().payload()).unwrap();
        assert_eq!(
            (&claims["iss"], &claims["aud"], &claims["iat"]),
            (&json!(ISSUER), &json!("checker"), &json!(NOW))
        );
        assert_eq!(claims["token_introspection"]["active"], active);
        // A signed answer is no access token.
        let again = office.introspect("seer", str::from_utf8(&body).unwrap()).await.unwrap();
        assert_eq!(again, json!({ "active": false }));
    }
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_own_affair_and_asking_does_not_use_it() {
    let office = Office::open().await;
    office.change::<Client>("shop", |shop| shop.scopes.push("introspect".to_owned())).await;
    let assertion = office.assertion("1").await;
    let first = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let first = office.ask_as("shop", &first).await.unwrap()["refresh_token"].clone();
    let first = first.as_str().unwrap();
    let said = office.introspect("shop", first).await.unwrap();
    assert_eq!(
        (&said["active"], &said["sub"], &said["token_type"]),
        (&json!(true), &json!("robot"), &json!("refresh_token"))
    );
    assert!(!office.is_active(first).await, "nobody else is told");
    let shown = [("grant_type", "refresh_token"), ("refresh_token", first)];
    let second = office.ask_as("shop", &shown).await.unwrap()["refresh_token"].clone();
    assert_eq!(office.introspect("shop", first).await.unwrap(), json!({ "active": false }));
    let second = second.as_str().unwrap();
    assert_eq!(office.introspect("shop", second).await.unwrap()["active"], true, "to ask was no use of it");
}
