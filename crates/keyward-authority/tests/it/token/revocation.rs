//! The end of a token before its time (RFC 7009), and of what is kept of it.

use keyward_authority::cause::Cause;
use keyward_authority::storage::{Kind, Position};
use keyward_authority::token::prune::prune;
use serde_json::{Value, json};

use super::office::{API, JWT_BEARER, OPAQUE, Office};

async fn token(office: &Office, resource: &str) -> String {
    let shown = [("grant_type", "client_credentials"), ("resource", resource)];
    office.ask_as("wide", &shown).await.unwrap()["access_token"].as_str().unwrap().to_owned()
}

async fn begun(office: &Office, jti: &str) -> Value {
    let assertion = office.assertion(jti).await;
    office.ask_as("shop", &[("grant_type", JWT_BEARER), ("assertion", &assertion)]).await.unwrap()
}

#[tokio::test]
async fn a_client_ends_its_own_tokens_as_often_as_it_likes() {
    let office = Office::open().await;
    for resource in [API, OPAQUE] {
        let (ended, other) = (token(&office, resource).await, token(&office, resource).await);
        assert_eq!(office.revoke("wide", &ended).await, Ok(json!({})));
        assert!(!office.is_active(&ended).await && office.is_active(&other).await);
        let before = office.store().head().await.unwrap();
        assert_eq!(office.revoke("wide", &ended).await, Ok(json!({})));
        assert_eq!(office.store().head().await.unwrap(), before, "that is no event");
    }
}

#[tokio::test]
async fn what_is_unknown_is_ended_and_what_is_anothers_is_not() {
    let office = Office::open().await;
    let before = office.store().head().await.unwrap();
    for none in ["x", "a.b.c", "kw_at_x", "kw_rt_x", &format!("kw_rt_{}.{}", "a".repeat(22), "b".repeat(43))]
    {
        assert_eq!(office.revoke("shop", none).await, Ok(json!({})), "{none}");
    }
    for resource in [API, OPAQUE] {
        let theirs = token(&office, resource).await;
        assert_eq!(office.revoke("shop", &theirs).await, Err(Cause::TokenOfAnother));
        assert!(office.is_active(&theirs).await);
    }
    let robot = office.robot("1", &[("resource", API)]).await.unwrap()["access_token"].clone();
    assert_eq!(office.revoke("shop", robot.as_str().unwrap()).await, Err(Cause::TokenOfAnother));
    let family = begun(&office, "2").await["refresh_token"].clone();
    let begun = office.store().head().await.unwrap();
    assert_eq!(begun, Position(before.0 + 1));
    assert_eq!(office.revoke("wide", family.as_str().unwrap()).await, Ok(json!({})));
    assert_eq!(office.store().head().await.unwrap(), begun, "it is none of that client's");
}

#[tokio::test]
async fn a_refresh_token_takes_its_family_with_it_and_their_access_tokens() {
    let office = Office::open().await;
    let first = begun(&office, "1").await;
    let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
    let shown = text(&first, "refresh_token");
    let shown = [("grant_type", "refresh_token"), ("refresh_token", shown.as_str())];
    let second = office.ask_as("shop", &shown).await.unwrap();
    // An earlier one does as well.
    office.revoke("shop", shown[1].1).await.unwrap();
    for answer in [&first, &second] {
        assert!(!office.is_active(&text(answer, "access_token")).await);
    }
    let last = text(&second, "refresh_token");
    let again = office.ask_as("shop", &[("grant_type", "refresh_token"), ("refresh_token", &last)]).await;
    assert_eq!(again, Err(Cause::RefreshTokenRevoked));
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_nothing_else() {
    let office = Office::open().await;
    let (jwt, opaque) = (token(&office, API).await, token(&office, OPAQUE).await);
    office.revoke("wide", &jwt).await.unwrap();
    begun(&office, "1").await;
    let count =
        async |kind: &'static str| office.store().list(Kind(kind), "main", "", "", 100).await.unwrap().len();
    let counts = async || (count("revoked_token").await, count("refresh_family").await);
    let prune = async || prune(&office.authority, office.authority.clock().now()).await.unwrap();
    prune().await;
    assert_eq!(counts().await, (1, 1));
    assert!(office.is_active(&opaque).await);
    assert!(!office.is_active(&jwt).await);
    office.clock.advance(300 + 120);
    prune().await;
    assert_eq!(counts().await, (0, 1));
    assert!(!office.is_active(&jwt).await, "it is over by now");
    office.clock.advance(86_400 + 7 * 86_400);
    prune().await;
    assert_eq!(counts().await, (0, 0));
    assert_eq!(office.store().verify().await.unwrap(), vec![]);
}
