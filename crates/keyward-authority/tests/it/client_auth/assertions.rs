//! Assertions, for both of their uses.

use keyward_authority::assertion::service_account;
use keyward_authority::cause::Cause;
use keyward_authority::entity::ClientAuthMethod;
use keyward_authority::http::Refusal;
use keyward_authority::storage::Kind;
use keyward_jose::sign_compact;
use serde_json::{Value, json};

use super::desk::{
    Desk, ENDPOINT, ISSUER, NOW, Pair, account, assertion, claims, client, from, pair, signed, told,
};
use crate::bench::{Bench, conformance};

conformance! {
    of_two_nodes_one_takes_an_assertion
    a_key_that_another_node_has_taken_in_is_known_at_once
}

const JWT: ClientAuthMethod = ClientAuthMethod::PrivateKeyJwt;

/// Two clients and two service accounts, a key each.
struct Keys {
    app: Pair,
    other_app: Pair,
    robot: Pair,
    other_robot: Pair,
}

async fn desk() -> (Desk, Keys, Bench) {
    let bench = Bench::sqlite();
    let desk = Desk::open(bench.open().await).await;
    let keys = Keys {
        app: pair("client/app", "a"),
        other_app: pair("client/other", "o"),
        robot: pair("service_account/robot", "r"),
        other_robot: pair("service_account/another", "n"),
    };
    for name in ["app", "other"] {
        desk.put(&client(name, &[JWT])).await;
    }
    for name in ["robot", "another"] {
        desk.put(&account(name)).await;
    }
    for pair in [&keys.app, &keys.other_app, &keys.robot, &keys.other_robot] {
        desk.put(&pair.key).await;
    }
    (desk, keys, bench)
}

impl Desk {
    pub(super) async fn client_of(&self, text: &str) -> Result<String, Cause> {
        let request = self.request(&assertion(text));
        let authenticated = self.authenticate(&request).await;
        authenticated.map(|found| found.client.id.clone()).map_err(|refusal| refusal.cause)
    }

    pub(super) async fn account_of(&self, text: &str) -> Result<String, Cause> {
        let request = self.request(&[("assertion", text)]);
        service_account(&self.authority, &request, text).await.map(|account| account.id.clone())
    }
}

#[tokio::test]
async fn a_key_of_a_client_authenticates_it_and_one_of_a_service_account_is_for_the_grant() {
    let (desk, keys, _bench) = desk().await;
    let text = signed(&keys.app.signer, &claims("app", "1")).await;
    let authenticated = desk.authenticate(&desk.request(&assertion(&text))).await.unwrap();
    assert_eq!((authenticated.client.id.as_str(), authenticated.method), ("app", JWT));
    let text = signed(&keys.robot.signer, &claims("robot", "1")).await;
    assert_eq!(desk.account_of(&text).await.as_deref(), Ok("robot"));
    // The grant's audience may be the token endpoint, and that of a client's assertion may not.
    let mut to_endpoint = claims("robot", "2");
    to_endpoint["aud"] = ENDPOINT.into();
    let text = signed(&keys.robot.signer, &to_endpoint).await;
    assert_eq!(desk.account_of(&text).await.as_deref(), Ok("robot"));
    // A name beside an assertion is the same one.
    let text = signed(&keys.app.signer, &claims("app", "2")).await;
    let [kind, assertion] = assertion(&text);
    let named = |name| desk.request(&[("client_id", name), kind, assertion]);
    assert_eq!(desk.cause(&named("other")).await, Some(Cause::AssertionIssuerWrong));
    assert_eq!(desk.cause(&named("app")).await, None);

    let waiting = desk.authority.client_auth().last_uses();
    waiting.flush(desk.store()).await.unwrap();
    let uses = desk.store().last_uses(Kind("key"), "main", "").await.unwrap();
    assert_eq!(uses, [("client/app/a".to_owned(), NOW), ("service_account/robot/r".to_owned(), NOW)]);
}

#[tokio::test]
async fn each_cause_of_a_refused_assertion_is_told_apart_to_us() {
    let (desk, keys, _bench) = desk().await;
    let with = |subject: &str, change: Value| {
        let mut claims = claims(subject, "x");
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims
    };
    let mut disabled = pair("client/app", "disabled");
    disabled.key.enabled = false;
    let mut expired = pair("client/app", "expired");
    expired.key.expires_at = Some(NOW);
    let unknown = pair("client/app", "unknown");
    let forged = pair("client/app", "a");
    let forged_account = pair("service_account/robot", "r");
    for pair in [&disabled, &expired] {
        desk.put(&pair.key).await;
    }
    let none = json!({});
    let app = &keys.app.signer;
    for (cause, signer, subject, change) in [
        (Cause::AssertionKeyUnknown, &unknown.signer, "app", none.clone()),
        (Cause::AssertionKeyUnknown, &unknown.signer, "nobody", none.clone()),
        (Cause::AssertionKeyOfAnother, &keys.other_app.signer, "app", none.clone()),
        (Cause::AssertionKeyOfAnother, app, "nobody", none.clone()),
        (Cause::AssertionKeyKindNotAllowed, &keys.robot.signer, "app", none.clone()),
        (Cause::AssertionKeyKindNotAllowed, &keys.robot.signer, "robot", none.clone()),
        (Cause::AssertionKeyDisabled, &disabled.signer, "app", none.clone()),
        (Cause::AssertionKeyExpired, &expired.signer, "app", none.clone()),
        (Cause::AssertionSignatureWrong, &forged.signer, "app", none.clone()),
        (Cause::AssertionSignatureWrong, &forged_account.signer, "app", none.clone()),
        (Cause::AssertionAudienceWrong, app, "app", json!({ "aud": "https://other.example" })),
        (Cause::AssertionAudienceWrong, app, "app", json!({ "aud": ENDPOINT })),
        (Cause::AssertionAudienceWrong, app, "app", json!({ "aud": [ISSUER, ENDPOINT] })),
        (Cause::AssertionExpired, app, "app", json!({ "exp": NOW - 60 })),
        (Cause::AssertionNotYetValid, app, "app", json!({ "nbf": NOW + 61 })),
        (Cause::AssertionLivesTooLong, app, "app", json!({ "exp": NOW + 3600 })),
        (Cause::AssertionIssuerWrong, app, "app", json!({ "iss": "other" })),
        (Cause::AssertionMalformed, app, "app", json!({ "jti": null })),
    ] {
        let text = signed(signer, &with(subject, change)).await;
        let request = from(desk.request(&assertion(&text)), [192, 0, 2, cause as u8]);
        assert_eq!(desk.cause(&request).await, Some(cause), "{subject}");
    }
    let text = signed(app, &claims("app", "1")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionReplayed));
    let body = claims("app", "2").to_string();
    let other_type = sign_compact(app, Some("at+jwt"), body.as_bytes()).await.unwrap();
    assert_eq!(desk.client_of(&other_type).await, Err(Cause::AssertionOfAnotherType));
    let own_type = sign_compact(app, Some("client-authentication+jwt"), body.as_bytes()).await.unwrap();
    assert_eq!(desk.client_of(&own_type).await.as_deref(), Ok("app"));
    assert_eq!(desk.client_of("a.b.c").await, Err(Cause::AssertionMalformed));
    let unnamed = unnamed(&keys.app, &claims("app", "3")).await;
    assert_eq!(desk.client_of(&unnamed).await, Err(Cause::AssertionWithoutKid));
}

/// Signed by a key whose file gives it no name.
async fn unnamed(pair: &Pair, claims: &Value) -> String {
    let der = pair.signer.to_pkcs8().unwrap();
    let (_, key) = keyward::credentials::KeyFile::parse(&der, None, None, None).unwrap();
    signed(&key, claims).await
}

#[tokio::test]
async fn the_six_causes_of_a1_are_told_apart_for_the_grant() {
    let (desk, keys, _bench) = desk().await;
    let mut disabled = pair("service_account/robot", "disabled");
    disabled.key.enabled = false;
    desk.put(&disabled.key).await;
    let mut expired = pair("service_account/robot", "expired");
    expired.key.expires_at = Some(NOW - 1);
    desk.put(&expired.key).await;
    let unknown = pair("service_account/robot", "unknown");
    let no_kid = unnamed(&keys.robot, &claims("robot", "1")).await;
    assert_eq!(desk.account_of(&no_kid).await, Err(Cause::AssertionWithoutKid));
    for (cause, signer, subject) in [
        // The key file of an application, used for the grant of service accounts.
        (Cause::AssertionKeyKindNotAllowed, &keys.app.signer, "app"),
        (Cause::AssertionKeyOfAnother, &keys.other_robot.signer, "robot"),
        (Cause::AssertionKeyDisabled, &disabled.signer, "robot"),
        (Cause::AssertionKeyExpired, &expired.signer, "robot"),
        (Cause::AssertionKeyUnknown, &unknown.signer, "robot"),
    ] {
        let text = signed(signer, &claims(subject, "1")).await;
        assert_eq!(desk.account_of(&text).await, Err(cause));
    }
    let mut elsewhere = claims("robot", "1");
    elsewhere["aud"] = "https://other.example".into();
    let text = signed(&keys.robot.signer, &elsewhere).await;
    assert_eq!(desk.account_of(&text).await, Err(Cause::AssertionAudienceWrong));
    let mut off = account("another");
    off.enabled = false;
    desk.put(&off).await;
    let text = signed(&keys.other_robot.signer, &claims("another", "1")).await;
    assert_eq!(desk.account_of(&text).await, Err(Cause::ServiceAccountDisabled));
}

#[tokio::test]
async fn whoever_has_not_got_a_key_learns_nothing_of_it() {
    let (desk, keys, _bench) = desk().await;
    let mut disabled = pair("client/app", "disabled");
    disabled.key.enabled = false;
    desk.put(&disabled.key).await;
    let mut tellings = Vec::new();
    for (owner, kid) in [
        ("client/app", "a"),
        ("client/app", "o"),
        ("client/app", "r"),
        ("client/app", "disabled"),
        ("client/app", "nothing"),
        ("client/nobody", "a"),
    ] {
        let stranger = pair(owner, kid);
        let subject = owner.strip_prefix("client/").unwrap();
        let text = signed(&stranger.signer, &claims(subject, kid)).await;
        let refusal = desk.authenticate(&desk.request(&assertion(&text))).await.unwrap_err();
        tellings.push(told(refusal).await);
        let text = signed(&stranger.signer, &claims("robot", kid)).await;
        let cause = desk.account_of(&text).await.unwrap_err();
        tellings.push(told(Refusal::of_authentication(cause)).await);
    }
    tellings.dedup();
    assert_eq!(tellings.len(), 1, "{tellings:?}");
    // And uses nobody's jti up.
    let text = signed(&keys.app.signer, &claims("app", "a")).await;
    assert_eq!(desk.client_of(&text).await.as_deref(), Ok("app"));
}

#[tokio::test]
async fn a_jti_is_one_owners_and_one_uses_own() {
    let (desk, keys, _bench) = desk().await;
    let same_name = pair("service_account/app", "sa");
    desk.put(&account("app")).await;
    desk.put(&same_name.key).await;
    for (signer, subject) in [(&keys.app.signer, "app"), (&keys.other_app.signer, "other")] {
        let text = signed(signer, &claims(subject, "1")).await;
        assert_eq!(desk.client_of(&text).await.as_deref(), Ok(subject));
        let text = signed(signer, &claims(subject, "1")).await;
        assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionReplayed));
    }
    let text = signed(&same_name.signer, &claims("app", "1")).await;
    assert_eq!(desk.account_of(&text).await.as_deref(), Ok("app"));
}

#[tokio::test]
async fn an_assertion_for_the_grant_may_live_an_hour_and_have_no_jti_and_is_used_once() {
    let (desk, keys, _bench) = desk().await;
    let usual = |subject: &str, jti: Option<&str>, lifetime: i64| {
        let mut claims = claims(subject, "");
        let members = claims.as_object_mut().unwrap();
        members.remove("jti");
        members.extend(jti.map(|jti| ("jti".to_owned(), jti.into())));
        members.insert("exp".to_owned(), (NOW + lifetime).into());
        claims
    };
    let robot = &keys.robot.signer;
    let text = signed(robot, &usual("robot", None, 3600)).await;
    assert_eq!(desk.account_of(&text).await.as_deref(), Ok("robot"));
    assert_eq!(desk.account_of(&text).await, Err(Cause::AssertionReplayed));
    // Another signature of the same key on the same does not make it another one.
    let again = signed(robot, &usual("robot", None, 3600)).await;
    assert_ne!(again, text);
    assert_eq!(desk.account_of(&again).await, Err(Cause::AssertionReplayed));
    let later = signed(robot, &usual("robot", None, 3599)).await;
    assert_eq!(desk.account_of(&later).await.as_deref(), Ok("robot"));
    for lifetime in [3600, 3599] {
        let text = signed(robot, &usual("robot", Some("1"), lifetime)).await;
        let expected = if lifetime == 3600 { Ok("robot") } else { Err(&Cause::AssertionReplayed) };
        assert_eq!(desk.account_of(&text).await.as_deref(), expected);
    }
    let too_long = signed(robot, &usual("robot", None, 3661)).await;
    assert_eq!(desk.account_of(&too_long).await, Err(Cause::AssertionLivesTooLong));
    // That of a client is as strict as ever.
    let app = &keys.app.signer;
    let text = signed(app, &usual("app", None, 60)).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionMalformed));
    let text = signed(app, &usual("app", Some("1"), 3600)).await;
    assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionLivesTooLong));
}

#[tokio::test]
async fn too_many_failures_are_refused_before_anything_is_looked_up() {
    let (desk, keys, _bench) = desk().await;
    let stranger = pair("client/app", "a");
    let text = signed(&stranger.signer, &claims("app", "1")).await;
    for _ in 0..11 {
        assert_eq!(desk.client_of(&text).await, Err(Cause::AssertionSignatureWrong));
    }
    assert_eq!(desk.client_of(&text).await, Err(Cause::RateLimited));
    let right = signed(&keys.app.signer, &claims("app", "2")).await;
    let elsewhere = from(desk.request(&assertion(&right)), [192, 0, 2, 2]);
    assert_eq!(desk.cause(&elsewhere).await, None);
}

async fn of_two_nodes_one_takes_an_assertion(bench: Bench) {
    let first = bench.open().await;
    let second = if bench.is_shared() { bench.open().await } else { first.clone() };
    let (one, other) = (Desk::open(first).await, Desk::open(second).await);
    let robot = pair("service_account/robot", "r");
    one.put(&account("robot")).await;
    one.put(&robot.key).await;
    for round in 0..8 {
        let text = signed(&robot.signer, &claims("robot", &round.to_string())).await;
        let outcomes = tokio::join!(one.account_of(&text), other.account_of(&text));
        let outcomes = [outcomes.0, outcomes.1];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert!(outcomes.contains(&Err(Cause::AssertionReplayed)), "{outcomes:?}");
    }
}

async fn a_key_that_another_node_has_taken_in_is_known_at_once(bench: Bench) {
    let first = bench.open().await;
    let second = if bench.is_shared() { bench.open().await } else { first.clone() };
    let (one, other) = (Desk::open(first).await, Desk::open(second).await);
    one.put(&account("robot")).await;
    for round in 0..10 {
        let new = pair("service_account/robot", &format!("r{round}"));
        one.put(&new.key).await;
        let text = signed(&new.signer, &claims("robot", &round.to_string())).await;
        assert_eq!(other.account_of(&text).await.as_deref(), Ok("robot"), "key {round}");
    }
}
