//! Names that are given again: what was issued to one is not for the next.

use std::time::Duration;

use http::Method;
use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::cause::Cause;
use keyward_authority::entity::{
    Client, ExternalSigner, FormerHolder, Identity, Key, Realm, ResourceServer, Secret, ServiceAccount,
};
use keyward_authority::operations::{self, Expected, Managed};
use keyward_authority::storage::{Actor, Kind};
use keyward_authority::token::prune::prune;
use keyward_authority::view::Follower;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::admin::api::Api;
use crate::bench::{Bench, conformance};
use crate::operations::node::{actor, server};
use crate::token::office::{API, ISSUER, JWT_BEARER, NOW, OPAQUE, OTHER, Office, identity};

conformance! {
    a_client_that_is_made_again_has_none_of_the_tokens_of_the_old_one
    an_account_that_is_made_again_has_none_of_the_tokens_of_the_old
    an_identity_that_is_made_again_has_no_tokens_of_the_old_one
    a_realm_that_is_made_again_finds_no_opaque_token_good
    an_administrator_who_is_made_again_has_no_token_of_the_old_one
    who_had_a_name_is_forgotten_when_no_token_of_theirs_is_left
    a_node_that_remembers_the_old_one_refuses_its_tokens_within_a_second
}

fn root() -> Actor {
    Actor("root".to_owned())
}

async fn delete<K: Managed>(office: &Office, id: &str) {
    operations::remove::<K>(&office.authority, &root(), "main", id, Expected::Any).await.unwrap();
}

async fn create<K: Managed>(office: &Office, kept: K) {
    operations::create(&office.authority, &root(), "main", kept).await.unwrap();
}

/// The shop again, as it was, with the secret that it had.
async fn make_again(office: &Office, client: &Client, secret: &Secret) {
    create(office, client.clone()).await;
    office.put(secret).await;
}

fn text(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn token_of(office: &Office, client: &str, resource: &str) -> String {
    let shown = [("grant_type", "client_credentials"), ("resource", resource)];
    text(&office.ask_as(client, &shown).await.unwrap())
}

async fn a_client_that_is_made_again_has_none_of_the_tokens_of_the_old_one(bench: Bench) {
    let office = Office::on(bench.open().await).await;
    let (wide, secret) =
        (office.kept::<Client>("wide").await.unwrap(), office.kept::<Secret>("wide/one").await.unwrap());
    let mut old = vec![token_of(&office, "wide", OTHER).await, token_of(&office, "wide", OPAQUE).await];
    // In somebody else's name, by way of this client.
    let assertion = office.assertion("1").await;
    let shown = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("resource", API)];
    old.push(text(&office.ask_as("wide", &shown).await.unwrap()));
    office.clock.advance(1);
    let others = token_of(&office, "shop", API).await;
    delete::<Client>(&office, "wide").await;
    office.clock.advance(1);
    make_again(&office, &wide, &secret).await;
    for token in &old {
        assert!(!office.is_active(token).await);
    }
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", old[0].as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    assert_eq!(office.ask_as("wide", &exchange).await, Err(Cause::SubjectTokenRefused));
    // Who is made has tokens that are good from the same second on.
    let new = [token_of(&office, "wide", OTHER).await, token_of(&office, "wide", OPAQUE).await, others];
    for token in &new {
        assert!(office.is_active(token).await);
    }
    // Nothing is longer for having been made again more than once.
    delete::<Client>(&office, "wide").await;
    make_again(&office, &wide, &secret).await;
    assert!(office.is_active(&new[0]).await, "of one second it may be either's");
    office.clock.advance(1);
    assert!(office.is_active(&new[0]).await);
    delete::<Client>(&office, "wide").await;
    make_again(&office, &wide, &secret).await;
    assert!(!office.is_active(&new[0]).await && !office.is_active(&new[1]).await);
    assert!(office.is_active(&new[2]).await, "that of nobody who was deleted");
}

async fn an_account_that_is_made_again_has_none_of_the_tokens_of_the_old(bench: Bench) {
    let office = Office::on(bench.open().await).await;
    let robot = office.kept::<ServiceAccount>("robot").await.unwrap();
    let key = office.kept::<Key>("service_account/robot/robot-1").await.unwrap();
    let old = text(&office.robot("1", &[("resource", API)]).await.unwrap());
    let bearer = text(&office.robot("2", &[("resource", ISSUER), ("scope", "introspect")]).await.unwrap());
    let assertion = office.assertion("3").await;
    let shown = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("resource", API)];
    let by_shop = office.ask_as("shop", &shown).await.unwrap();
    let refresh = by_shop["refresh_token"].as_str().unwrap();
    assert_eq!(office.introspect_by("Bearer", &bearer, &old).await.unwrap()["active"], true);
    assert_eq!(office.introspect("shop", refresh).await.err(), Some(Cause::IntrospectionNotAllowed));
    delete::<ServiceAccount>(&office, "robot").await;
    office.clock.advance(5);
    create(&office, robot).await;
    office.put(&key).await;
    assert!(!office.is_active(&old).await && !office.is_active(&text(&by_shop)).await);
    assert_eq!(office.introspect_by("Bearer", &bearer, &old).await, Err(Cause::BearerRefused));
    let again = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(office.ask_as("shop", &again).await, Err(Cause::RefreshTokenRevoked));
    assert!(office.is_active(&text(&office.robot("4", &[("resource", API)]).await.unwrap())).await);
    let assertion = office.assertion("5").await;
    let shown = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("resource", API)];
    let by_shop = office.ask_as("shop", &shown).await.unwrap();
    let again =
        [("grant_type", "refresh_token"), ("refresh_token", by_shop["refresh_token"].as_str().unwrap())];
    let next = office.ask_as("shop", &again).await.unwrap();
    assert!(office.is_active(&text(&next)).await);
}

async fn an_identity_that_is_made_again_has_no_tokens_of_the_old_one(bench: Bench) {
    let office = Office::on(bench.open().await).await;
    let signer = office.kept::<ExternalSigner>("idp").await.unwrap();
    create(&office, identity("alice")).await;
    let exchanged = async || {
        let alice = office.idp.token_of("alice").await;
        let shown = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", alice.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        office.ask_as("shop", &shown).await.unwrap()
    };
    // By itself, and with its signer.
    for whole in [false, true] {
        let old = exchanged().await;
        assert!(office.is_active(&text(&old)).await);
        office.clock.advance(1);
        if whole {
            delete::<ExternalSigner>(&office, "idp").await;
            create(&office, signer.clone()).await;
        } else {
            delete::<Identity>(&office, "idp/alice").await;
        }
        create(&office, identity("alice")).await;
        let new = exchanged().await;
        assert!(!office.is_active(&text(&old)).await && office.is_active(&text(&new)).await);
        let again =
            [("grant_type", "refresh_token"), ("refresh_token", old["refresh_token"].as_str().unwrap())];
        assert_eq!(office.ask_as("shop", &again).await, Err(Cause::RefreshTokenRevoked));
    }
}

async fn a_realm_that_is_made_again_finds_no_opaque_token_good(bench: Bench) {
    let office = Office::on(bench.open().await).await;
    let opaque = office.kept::<ResourceServer>(OPAQUE).await.unwrap();
    let mut clients = Vec::new();
    for id in ["wide", "seer", "shop", "checker"] {
        let secret = office.kept::<Secret>(&format!("{id}/one")).await.unwrap();
        clients.push((office.kept::<Client>(id).await.unwrap(), secret));
    }
    let old = token_of(&office, "wide", OPAQUE).await;
    assert!(office.is_active(&old).await);
    for (client, _) in &clients {
        delete::<Client>(&office, &client.id).await;
    }
    delete::<Client>(&office, "app").await;
    delete::<ServiceAccount>(&office, "robot").await;
    delete::<ExternalSigner>(&office, "idp").await;
    for audience in [API, OPAQUE, OTHER, "closed"] {
        delete::<ResourceServer>(&office, audience).await;
    }
    office.change::<Realm>("main", |realm| realm.enabled = false).await;
    delete::<Realm>(&office, "main").await;
    office.clock.advance(1);
    create(&office, Realm::new("main")).await;
    create(&office, opaque).await;
    for (client, secret) in &clients {
        make_again(&office, client, secret).await;
    }
    let kept = office.store().list(Kind("former_holder"), "main", "", "", 9).await.unwrap();
    assert_eq!(kept.len(), 1, "the realm's stands for all: {kept:?}");
    assert!(!office.is_active(&old).await);
    assert!(office.is_active(&token_of(&office, "wide", OPAQUE).await).await);
}

async fn an_administrator_who_is_made_again_has_no_token_of_the_old_one(bench: Bench) {
    let api = Api::of(&bench).await;
    let authority = &api.node.authority;
    let issued = async |iat: i64| {
        let claims = json!({ "sub": "clerk", "client_id": "clerk", "iat": iat });
        api.token_with("authority.write:main", claims).await
    };
    let send = async |token: &str, audience: &str| {
        let body = json!(server(audience));
        let path = "/realms/main/resource-servers";
        api.send(Method::POST, path, Some(token), None, Some(body)).await.status
    };
    let (old, new) = (issued(NOW - 1).await, issued(NOW).await);
    assert_eq!(send(&old, "https://one.example").await, 201);
    let clerk = operations::find::<ServiceAccount>(authority, "admin", "clerk").await.unwrap().entity;
    operations::remove::<ServiceAccount>(authority, &actor(), "admin", "clerk", Expected::Any).await.unwrap();
    assert_eq!(send(&new, "https://two.example").await, 401);
    api.node.create("admin", clerk).await.unwrap();
    assert_eq!(send(&old, "https://two.example").await, 401);
    assert_eq!(send(&new, "https://two.example").await, 201);
}

async fn who_had_a_name_is_forgotten_when_no_token_of_theirs_is_left(bench: Bench) {
    let office = Office::on(bench.open().await).await;
    delete::<Client>(&office, "app").await;
    delete::<ServiceAccount>(&office, "robot").await;
    delete::<ResourceServer>(&office, OTHER).await;
    let realm = FormerHolder { name: FormerHolder::REALM.to_owned(), until: NOW };
    office.put(&realm).await;
    let left = async |after: i64| {
        let now = Now { wall: UnixTime(NOW + after), mono: MonoTime(0) };
        prune(&office.authority, now).await.unwrap();
        let kept = office.store().list(Kind("former_holder"), "main", "", "", 9).await.unwrap();
        kept.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    let day = 86_400;
    assert_eq!(left(day).await, ["client/app", "realm", "service_account/robot"]);
    assert_eq!(left(day + 120).await, ["client/app", "service_account/robot"]);
    assert_eq!(left(366 * day).await, ["client/app", "service_account/robot"]);
    assert_eq!(left(366 * day + 120).await, [""; 0]);
}

async fn a_node_that_remembers_the_old_one_refuses_its_tokens_within_a_second(bench: Bench) {
    let one = Office::on(bench.open().await).await;
    let store = if bench.is_shared() { bench.open().await } else { one.store().clone() };
    let other = one.another(store);
    let view = one.authority.view();
    let _follower = Follower::start(view).await.unwrap();
    let (shop, secret) =
        (one.kept::<Client>("shop").await.unwrap(), one.kept::<Secret>("shop/one").await.unwrap());
    let (old, others) = (token_of(&one, "shop", API).await, token_of(&one, "wide", OTHER).await);
    one.clock.advance(1);
    while !view.is_current() {
        tokio::task::yield_now().await;
    }
    // Twice, so that it is remembered.
    for token in [&old, &others, &old, &others] {
        assert!(one.is_active(token).await);
    }
    delete::<Client>(&other, "shop").await;
    make_again(&other, &shop, &secret).await;
    let made = Instant::now();
    while one.is_active(&old).await {
        assert!(made.elapsed() < Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    assert!(one.is_active(&others).await && one.is_active(&token_of(&other, "shop", API).await).await);
}
