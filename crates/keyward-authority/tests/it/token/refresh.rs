//! Refresh tokens: each is good once.

use keyward_authority::cause::Cause;
use keyward_authority::entity::{Client, GrantType, Identity, RefreshFamily};
use serde_json::{Value, json};

use super::office::{API, JWT_BEARER, OTHER, Office, confidential, identity, said};

/// A pair of tokens of the shop, in the robot's name.
async fn begun(office: &Office, jti: &str) -> Value {
    let assertion = office.assertion(jti).await;
    let shown = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    office.ask_as("shop", &shown).await.unwrap()
}

async fn refreshed(
    office: &Office,
    client: &str,
    token: &Value,
    parameters: &[(&str, &str)],
) -> Result<Value, Cause> {
    let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())];
    all.extend_from_slice(parameters);
    office.ask_as(client, &all).await
}

fn texts(answer: &Value) -> [&str; 2] {
    ["access_token", "refresh_token"].map(|name| answer[name].as_str().unwrap())
}

#[tokio::test]
async fn each_is_good_once_and_an_earlier_one_ends_them_all_and_what_goes_with_them() {
    let office = Office::open().await;
    let first = begun(&office, "1").await;
    let second = refreshed(&office, "shop", &first["refresh_token"], &[]).await.unwrap();
    let third = refreshed(&office, "shop", &second["refresh_token"], &[]).await.unwrap();
    assert_ne!(texts(&first)[1], texts(&second)[1]);
    for answer in [&first, &second, &third] {
        assert!(office.is_active(texts(answer)[0]).await);
    }
    let claims = said(&third["access_token"]);
    assert_eq!(
        (&claims["sub"], &claims["aud"], &claims["scope"]),
        (&json!("robot"), &json!(API), &json!("read"))
    );

    let reused = refreshed(&office, "shop", &first["refresh_token"], &[]).await;
    assert_eq!(reused, Err(Cause::RefreshTokenReused));
    let ended = refreshed(&office, "shop", &third["refresh_token"], &[]).await;
    assert_eq!(ended, Err(Cause::RefreshTokenRevoked));
    for answer in [&first, &second, &third] {
        assert!(!office.is_active(texts(answer)[0]).await);
    }
}

#[tokio::test]
async fn another_family_of_the_same_client_is_not_concerned() {
    let office = Office::open().await;
    let (one, other) = (begun(&office, "1").await, begun(&office, "2").await);
    refreshed(&office, "shop", &one["refresh_token"], &[]).await.unwrap();
    refreshed(&office, "shop", &one["refresh_token"], &[]).await.unwrap_err();
    refreshed(&office, "shop", &other["refresh_token"], &[]).await.unwrap();
}

#[tokio::test]
async fn scopes_shrink_for_a_token_and_not_for_the_family_and_never_grow() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    office.change::<Identity>("idp/alice", |alice| alice.scopes.push("write".to_owned())).await;
    let alice = office.idp.token_of("alice").await;
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", alice.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    let all = office.ask_as("shop", &exchange).await.unwrap();
    let less = refreshed(&office, "shop", &all["refresh_token"], &[("scope", "read")]).await.unwrap();
    assert_eq!(less["scope"], "read");
    let again = refreshed(&office, "shop", &less["refresh_token"], &[]).await.unwrap();
    assert_eq!(again["scope"], "read write");
    // What nobody may have any more is not in the next one.
    office.change::<Identity>("idp/alice", |alice| alice.scopes = vec!["write".to_owned()]).await;
    let taken = refreshed(&office, "shop", &again["refresh_token"], &[]).await.unwrap();
    assert_eq!(taken["scope"], "write");
    office.change::<Client>("shop", |shop| shop.audiences.push(OTHER.to_owned())).await;
    let token = &taken["refresh_token"];
    let elsewhere = refreshed(&office, "shop", token, &[("resource", OTHER)]).await;
    assert_eq!(elsewhere, Err(Cause::AudienceNotAllowed));
    assert_eq!(refreshed(&office, "shop", token, &[("scope", "read")]).await, Err(Cause::ScopeNotAllowed));
    // A request that was refused for what it asked cost the client nothing.
    office.change::<Identity>("idp/alice", |alice| alice.enabled = false).await;
    assert_eq!(refreshed(&office, "shop", token, &[]).await, Err(Cause::IdentityDisabled));
    office.change::<Identity>("idp/alice", |alice| alice.enabled = true).await;
    refreshed(&office, "shop", token, &[]).await.unwrap();
}

#[tokio::test]
async fn what_is_narrow_from_the_beginning_stays_so() {
    let office = Office::open().await;
    office.put(&identity("alice")).await;
    office.change::<Identity>("idp/alice", |alice| alice.scopes.push("write".to_owned())).await;
    let alice = office.idp.token_of("alice").await;
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", alice.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("scope", "write"),
    ];
    let first = office.ask_as("shop", &exchange).await.unwrap();
    let wide = refreshed(&office, "shop", &first["refresh_token"], &[("scope", "read write")]).await;
    assert_eq!(wide, Err(Cause::ScopeNotAllowed));
    let next = refreshed(&office, "shop", &first["refresh_token"], &[]).await.unwrap();
    assert_eq!(next["scope"], "write");
}

#[tokio::test]
async fn it_is_its_clients_own_and_over_some_day_and_none_at_all_for_who_may_not() {
    let office = Office::open().await;
    let token = begun(&office, "1").await["refresh_token"].clone();
    assert_eq!(refreshed(&office, "wide", &token, &[]).await, Err(Cause::RefreshTokenUnknown));
    let text = token.as_str().unwrap();
    for (what, token) in [
        ("none", "x".to_owned()),
        ("no secret", text.split('.').next().unwrap().to_owned()),
        ("half", text[..text.len() - 1].to_owned()),
        ("of nobody", format!("kw_rt_{}.{}", "a".repeat(22), "a".repeat(43))),
        ("opaque", format!("kw_at_{}", "a".repeat(43))),
    ] {
        let refused = refreshed(&office, "shop", &json!(token), &[]).await;
        assert_eq!(refused, Err(Cause::RefreshTokenUnknown), "{what}");
    }
    office.clock.advance(86_399);
    let next = refreshed(&office, "shop", &token, &[]).await.unwrap()["refresh_token"].clone();
    office.clock.advance(86_400);
    assert_eq!(refreshed(&office, "shop", &next, &[]).await, Err(Cause::RefreshTokenExpired));

    office.change::<Client>("shop", |shop| shop.grant_types = vec![GrantType::JwtBearer]).await;
    assert_eq!(begun(&office, "2").await.get("refresh_token"), None);
    assert_eq!(refreshed(&office, "shop", &next, &[]).await, Err(Cause::GrantNotAllowed));
}

#[tokio::test]
async fn who_only_sees_what_is_kept_can_neither_use_nor_end_it() {
    let office = Office::open().await;
    let token = begun(&office, "1").await["refresh_token"].clone();
    let kept =
        office.store().list(keyward_authority::storage::Kind("refresh_family"), "main", "", "", 9).await;
    let kept = kept.unwrap();
    let family: RefreshFamily = serde_json::from_str(&kept[0].1).unwrap();
    let (root, tip) = token.as_str().unwrap().strip_prefix("kw_rt_").unwrap().split_once('.').unwrap();
    assert!(!kept[0].1.contains(root) && !kept[0].1.contains(tip));
    for guess in [&family.id[..22], &family.current[..22]] {
        let guess = json!(format!("kw_rt_{guess}.{}", family.current));
        assert_eq!(refreshed(&office, "shop", &guess, &[]).await, Err(Cause::RefreshTokenUnknown));
    }
    refreshed(&office, "shop", &token, &[]).await.unwrap();
}

#[tokio::test]
async fn a_client_that_is_made_again_under_the_same_name_finds_its_families_gone_with_the_old_one() {
    let office = Office::open().await;
    let answer = begun(&office, "1").await;
    let id =
        office.store().list(keyward_authority::storage::Kind("refresh_family"), "main", "shop/", "", 9).await;
    assert_eq!(id.unwrap().len(), 1, "it is the client's by its name");
    office.put(&confidential("shop2", &[API], &["read"])).await;
    assert!(office.is_active(texts(&answer)[0]).await);
}
