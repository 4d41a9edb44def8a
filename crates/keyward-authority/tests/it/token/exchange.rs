//! Tokens of others for ours, and ours for lesser ones (RFC 8693).

use std::sync::atomic::Ordering;

use keyward_authority::cause::Cause;
use keyward_authority::entity::{ExternalSigner, Identity, Realm, Subject};
use serde_json::{Value, json};

use super::office::{API, NOW, OPAQUE, OTHER, Office, identity, said};

const EXCHANGE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

async fn exchange(office: &Office, token: &str, parameters: &[(&str, &str)]) -> Result<Value, Cause> {
    let mut all = vec![EXCHANGE, ("subject_token", token), ("subject_token_type", JWT)];
    all.extend_from_slice(parameters);
    office.ask_as("shop", &all).await
}

/// With somebody who acts.
async fn delegated(office: &Office, subject: &str, actor: &str) -> Result<Value, Cause> {
    exchange(office, subject, &[("actor_token", actor), ("actor_token_type", ACCESS_TOKEN)]).await
}

async fn own(office: &Office, parameters: &[(&str, &str)]) -> String {
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend_from_slice(parameters);
    office.ask_as("shop", &all).await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whom_an_external_signer_vouches_for_gets_a_token_in_the_name_that_we_know_them_by() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    let answer = exchange(&office, &office.idp.token_of("alice").await, &[]).await.unwrap();
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    let claims = said(&answer["access_token"]);
    let names =
        ["sub", "subject_type", "client_id", "aud", "scope"].map(|name| claims[name].as_str().unwrap());
    assert_eq!(names, ["subject-of-alice", "identity", "shop", API, "read"]);
    assert!(office.is_active(answer["access_token"].as_str().unwrap()).await);
    office.change::<Identity>("idp/alice", |alice| alice.enabled = false).await;
    assert!(!office.is_active(answer["access_token"].as_str().unwrap()).await);
    let refused = exchange(&office, &office.idp.token_of("alice").await, &[]).await;
    assert_eq!(refused, Err(Cause::IdentityDisabled));
}

#[tokio::test]
async fn nobody_is_made_just_in_time_unless_the_realm_wants_it() {
    let office = Office::open().await;
    let token = office.idp.token_of("bob").await;
    assert_eq!(exchange(&office, &token, &[]).await, Err(Cause::IdentityUnknown));
    assert!(office.kept::<Identity>("idp/bob").await.is_none());
    office.change::<Realm>("main", |realm| realm.just_in_time = true).await;
    let first = exchange(&office, &token, &[]).await.unwrap();
    let bob = office.kept::<Identity>("idp/bob").await.unwrap();
    assert!(bob.just_in_time && bob.audiences == [API] && bob.scopes == ["read", "write"]);
    assert_eq!(said(&first["access_token"])["sub"], *bob.subject);
    let again = exchange(&office, &token, &[]).await.unwrap();
    assert_eq!(said(&again["access_token"])["sub"], *bob.subject);
    assert_ne!(bob.subject, "bob", "the signer's name for somebody is not told to resource servers");
}

#[tokio::test]
async fn a_subject_that_another_has_already_is_nobodys() {
    let office = Office::open().await;
    let mut twin = identity("twin");
    twin.subject = "subject-of-alice".to_owned();
    office.put(&identity("alice")).await;
    office.put(&twin).await;
    exchange(&office, &office.idp.token_of("alice").await, &[]).await.unwrap();
    let twin = exchange(&office, &office.idp.token_of("twin").await, &[]).await;
    assert_eq!(twin, Err(Cause::IdentityUnknown));
    assert_eq!(office.kept::<Subject>("subject-of-alice").await.unwrap().external_id, "alice");
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_and_one_that_cannot_be_checked_is_undecided() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    let idp = &office.idp;
    for (what, token) in [
        ("over", idp.token(json!({ "sub": "alice", "exp": NOW - 100 })).await),
        ("for another", idp.token(json!({ "sub": "alice", "aud": "https://else.example" })).await),
        ("of another", idp.token(json!({ "sub": "alice", "iss": "https://evil.example" })).await),
        ("without subject", idp.token(json!({})).await),
        ("without a name", idp.token(json!({ "sub": "" })).await),
        ("with a name that is none", idp.token(json!({ "sub": "a\nb" })).await),
        ("with a name that is too long", idp.token(json!({ "sub": "a".repeat(256) })).await),
        ("bound to what nobody proves", idp.token(json!({ "sub": "alice", "cnf": { "jkt": "x" } })).await),
        ("none", "kw_rt_x.y".to_owned()),
        ("none of ours", format!("kw_at_{}", "a".repeat(43))),
        ("no token", "alice".to_owned()),
        ("changed", idp.token_of("alice").await + "A"),
    ] {
        assert_eq!(exchange(&office, &token, &[]).await, Err(Cause::SubjectTokenRefused), "{what}");
    }
    office.change::<ExternalSigner>("idp", |idp| idp.enabled = false).await;
    let token = idp.token_of("alice").await;
    assert_eq!(exchange(&office, &token, &[]).await, Err(Cause::SubjectTokenRefused), "its signer is out");

    let office = Office::open().await;
    office.put(&identity("alice")).await;
    office.idp.is_down.store(true, Ordering::SeqCst);
    let token = office.idp.token_of("alice").await;
    assert_eq!(exchange(&office, &token, &[]).await, Err(Cause::SubjectTokenUndecided));
}

#[tokio::test]
async fn a_signer_that_cannot_be_used_does_not_take_the_others_with_it() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    for (name, issuer, address) in [
        ("a", "https://a.example", "http://a.example/jwks"),
        ("b", "https://b.example", "no address"),
        ("zz", "https://idp.example", "https://elsewhere.example/jwks"),
    ] {
        let mut broken = super::office::signer();
        (broken.name, broken.issuer) = (name.to_owned(), issuer.to_owned());
        broken.keys = keyward_authority::entity::SignerKeys::JwksUri(address.to_owned());
        office.put(&broken).await;
    }
    exchange(&office, &office.idp.token_of("alice").await, &[]).await.unwrap();
}

#[tokio::test]
async fn what_a_token_has_to_have_is_named_by_type() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    let token = office.idp.token_of("alice").await;
    let ask = async |parameters: &[(&str, &str)]| {
        let mut all = vec![EXCHANGE];
        all.extend_from_slice(parameters);
        office.ask_as("shop", &all).await.map(|answer| answer["issued_token_type"].clone())
    };
    let subject = ("subject_token", token.as_str());
    assert_eq!(ask(&[subject]).await, Err(Cause::ParameterMissing));
    assert_eq!(ask(&[("subject_token_type", JWT)]).await, Err(Cause::ParameterMissing));
    let saml = ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2");
    assert_eq!(ask(&[subject, saml]).await, Err(Cause::SubjectTokenTypeUnsupported));
    let jwt = ("subject_token_type", JWT);
    assert_eq!(ask(&[subject, jwt, ("actor_token", "x")]).await, Err(Cause::ParameterMissing));
    assert_eq!(ask(&[subject, jwt, ("actor_token_type", JWT)]).await, Err(Cause::ParameterMissing));
    let wanted = |kind: &'static str| [subject, jwt, ("requested_token_type", kind)];
    let refresh = wanted("urn:ietf:params:oauth:token-type:refresh_token");
    assert_eq!(ask(&refresh).await, Err(Cause::SubjectTokenTypeUnsupported));
    assert_eq!(ask(&wanted(JWT)).await, Ok(json!(JWT)));
    assert_eq!(ask(&wanted(ACCESS_TOKEN)).await, Ok(json!(ACCESS_TOKEN)));
    // What is opaque is no JWT.
    office
        .change::<keyward_authority::entity::Client>("shop", |shop| shop.audiences.push(OPAQUE.to_owned()))
        .await;
    office.change::<Identity>("idp/alice", |alice| alice.audiences.push(OPAQUE.to_owned())).await;
    let [subject, jwt, kind] = wanted(JWT);
    let opaque = [subject, jwt, kind, ("resource", OPAQUE)];
    assert_eq!(ask(&opaque).await, Err(Cause::SubjectTokenTypeUnsupported));
}

#[tokio::test]
async fn one_of_our_own_is_exchanged_for_less_and_for_no_longer() {
    let office = Office::open().await;
    let token = own(&office, &[]).await;
    office.clock.advance(100);
    let less = exchange(&office, &token, &[("scope", "read")]).await.unwrap();
    let claims = said(&less["access_token"]);
    assert_eq!((&claims["scope"], &claims["exp"]), (&json!("read"), &json!(NOW + 300)));
    assert_eq!((&less["expires_in"], less.get("refresh_token")), (&json!(200), None));
    let less = less["access_token"].as_str().unwrap();
    assert_eq!(exchange(&office, less, &[("scope", "write")]).await, Err(Cause::ScopeNotAllowed));
    assert_eq!(said(&exchange(&office, less, &[]).await.unwrap()["access_token"])["scope"], "read");
    let elsewhere = exchange(&office, less, &[("resource", OTHER)]).await;
    assert_eq!(elsewhere, Err(Cause::AudienceNotAllowed));
    office.revoke("shop", &token).await.unwrap();
    assert_eq!(exchange(&office, &token, &[]).await, Err(Cause::SubjectTokenRefused));
    office.clock.advance(200);
    assert_eq!(exchange(&office, less, &[]).await, Err(Cause::SubjectTokenRefused), "it is over");
}

#[tokio::test]
async fn who_acts_for_whom_is_said_in_its_order_and_not_without_end() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    let alice = office.idp.token_of("alice").await;
    let shop = own(&office, &[]).await;
    let first = delegated(&office, &alice, &shop).await.unwrap();
    let claims = said(&first["access_token"]);
    assert_eq!(claims["sub"], "subject-of-alice");
    assert_eq!(claims["act"], json!({ "sub": "shop", "subject_type": "client" }));
    assert!(first.get("refresh_token").is_none(), "the actor's own token is over one day");

    let robot = office.robot("1", &[("resource", API)]).await.unwrap();
    let robot = robot["access_token"].as_str().unwrap();
    let mut token = first["access_token"].as_str().unwrap().to_owned();
    let second = delegated(&office, &token, robot).await.unwrap();
    assert_eq!(
        said(&second["access_token"])["act"],
        json!({ "sub": "robot", "subject_type": "service_account",
                "act": { "sub": "shop", "subject_type": "client" } })
    );
    // Without an actor it stays as it was.
    let same = exchange(&office, second["access_token"].as_str().unwrap(), &[]).await.unwrap();
    assert_eq!(said(&same["access_token"])["act"]["sub"], "robot");
    for _ in 0..3 {
        token = delegated(&office, &token, robot).await.unwrap()["access_token"].as_str().unwrap().to_owned();
    }
    assert_eq!(delegated(&office, &token, robot).await, Err(Cause::SubjectTokenRefused));
    assert_eq!(delegated(&office, &alice, "nobody").await, Err(Cause::SubjectTokenRefused));
}

#[tokio::test]
async fn a_token_that_says_who_may_act_stands_for_nobody_else() {
    let office = Office::open().await;
    for name in ["alice", "clerk", "other"] {
        office.put(&identity(name)).await;
    }
    let idp = &office.idp;
    let alice = idp.token(json!({ "sub": "alice", "may_act": { "sub": "clerk" } })).await;
    assert_eq!(exchange(&office, &alice, &[]).await, Err(Cause::SubjectTokenRefused));
    assert_eq!(
        delegated(&office, &alice, &idp.token_of("other").await).await,
        Err(Cause::SubjectTokenRefused)
    );
    let shop = own(&office, &[]).await;
    assert_eq!(delegated(&office, &alice, &shop).await, Err(Cause::SubjectTokenRefused));
    let clerk = delegated(&office, &alice, &idp.token_of("clerk").await).await.unwrap();
    assert_eq!(said(&clerk["access_token"])["act"]["sub"], "subject-of-clerk");
    let elsewhere = json!({ "sub": "alice", "may_act": { "sub": "clerk", "iss": "https://else.example" } });
    let elsewhere = delegated(&office, &idp.token(elsewhere).await, &idp.token_of("clerk").await).await;
    assert_eq!(elsewhere, Err(Cause::SubjectTokenRefused));
}

#[tokio::test]
async fn an_identity_is_known_by_the_claim_that_its_signer_is_declared_with() {
    let office = Office::open().await;
    office.put(&identity("7")).await;
    office.change::<ExternalSigner>("idp", |idp| idp.id_claim = "https://idp.example/~id".to_owned()).await;
    let token = office.idp.token(json!({ "sub": "alice", "https://idp.example/~id": "7" })).await;
    let answer = exchange(&office, &token, &[]).await.unwrap();
    assert_eq!(said(&answer["access_token"])["sub"], "subject-of-7");
    let refused = exchange(&office, &office.idp.token_of("7").await, &[]).await;
    assert_eq!(refused, Err(Cause::SubjectTokenRefused));
}
