//! What strangers could make grow, or come back.

use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::cause::{Cause, OAuthError};
use keyward_authority::entity::{Identity, Realm};
use keyward_authority::http::{revoke, token};
use keyward_authority::storage::{Kind, StoreAddress};
use keyward_authority::token::prune::prune;
use serde_json::json;

use crate::bench::Bench;
use crate::token::office::{API, JWT_BEARER, NOW, Office, identity, said};

const EXCHANGE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
const TYPE: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt");

#[tokio::test]
async fn names_that_can_be_nobodys_are_counted_as_one_however_long_they_are() {
    let office = Office::open().await;
    let ask = async |name: &str| {
        let shown = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", name)];
        office.ask(&shown).await.unwrap_err()
    };
    for number in 0..=10 {
        assert_eq!(ask(&format!("{number}{}", "a".repeat(30_000))).await, Cause::ClientUnknown);
    }
    assert_eq!(ask(&"b".repeat(30_000)).await, Cause::RateLimited);
    assert_eq!(ask("somebody").await, Cause::ClientUnknown);
}

#[tokio::test]
async fn a_signer_that_makes_names_without_end_makes_a_bounded_number_of_identities() {
    let bench = Bench::sqlite();
    let office = Office::on(bench.open().await).await;
    office.change::<Realm>("main", |realm| realm.just_in_time = true).await;
    let StoreAddress::Sqlite(path) = &bench.address else { panic!("a file") };
    let direct = sqlx::SqlitePool::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let body = serde_json::to_string(&identity("x")).unwrap();
    // As many as there may be, less one.
    sqlx::query(
        "INSERT INTO state (kind, realm, id, position, body) WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n \
         LIMIT 99999) SELECT 'identity', 'main', 'idp/' || n, 1, $1 FROM n",
    )
    .bind(&body)
    .execute(&direct)
    .await
    .unwrap();
    let exchange = async |name: &str| {
        let subject = office.idp.token_of(name).await;
        office.ask_as("shop", &[EXCHANGE, TYPE, ("subject_token", &subject)]).await
    };
    exchange("alice").await.unwrap();
    assert_eq!(exchange("bob").await, Err(Cause::IdentityUnknown));
    assert_eq!(office.kept::<Identity>("idp/bob").await, None);
    exchange("alice").await.unwrap();
}

#[tokio::test]
async fn a_node_whose_clock_is_ahead_makes_nothing_good_again_on_another() {
    let office = Office::open().await;
    let now = |seconds: i64| Now { wall: UnixTime(NOW + seconds), mono: MonoTime(0) };
    let assertion = office.assertion("1").await;
    let shown = [
        ("grant_type", JWT_BEARER),
        ("assertion", assertion.as_str()),
        ("resource", API),
        ("client_id", "app"),
    ];
    let answer = office.ask(&shown).await.unwrap();
    let access = answer["access_token"].as_str().unwrap();
    let revoked = office.request(&[("client_id", "app"), ("token", access)]).await;
    revoke(&office.authority, &revoked).await.unwrap();
    let exp = said(&answer["access_token"])["exp"].as_i64().unwrap() - NOW;
    // The assertion is taken until a minute after its end, the token until its own.
    office.clock.advance(119);
    prune(&office.authority, now(119 + 60)).await.unwrap();
    assert_eq!(office.ask(&shown).await, Err(Cause::AssertionReplayed));
    office.clock.advance(exp - 119 - 1);
    prune(&office.authority, now(exp - 1 + 60)).await.unwrap();
    assert!(!office.is_active(access).await);
    let kept = async || office.store().list(Kind("revoked_token"), "main", "", "", 9).await.unwrap().len();
    assert_eq!(kept().await, 1);
    prune(&office.authority, now(exp + 120)).await.unwrap();
    assert_eq!(kept().await, 0);
}

#[tokio::test]
async fn what_cannot_be_exchanged_is_an_invalid_request_and_what_cannot_be_granted_no_good_grant() {
    let office = Office::open().await;
    let told = async |parameters: &[(&str, &str)]| {
        let mut all = vec![("client_id", "app")];
        all.extend_from_slice(parameters);
        let refusal = token(&office.authority, &office.request(&all).await).await.unwrap_err();
        (refusal.cause, refusal.error)
    };
    let stranger = office.idp.token_of("nobody").await;
    let subject = |token| [EXCHANGE, TYPE, ("subject_token", token)];
    // RFC 8693 §2.2.2.
    assert_eq!(told(&subject("x")).await, (Cause::SubjectTokenRefused, OAuthError::InvalidRequest));
    assert_eq!(told(&subject(&stranger)).await, (Cause::IdentityUnknown, OAuthError::InvalidRequest));
    let bound = office.idp.token(json!({ "sub": "alice", "cnf": { "jkt": "x" } })).await;
    office.put(&identity("alice")).await;
    assert_eq!(told(&subject(&bound)).await, (Cause::SubjectTokenRefused, OAuthError::InvalidRequest));
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(told(&refresh).await, (Cause::RefreshTokenUnknown, OAuthError::InvalidGrant));
}
