//! Promise 5: a rotation is picked up by the first request that carries the new key, and junk starves nobody.

use std::time::Duration;

use keyward::{IssuerSettings, KeySetSettings, Reason, RequirementId};
use tokio::task::JoinSet;

use crate::support::{
    Bench, JWKS, KEYS, Outcome, Provider, Reply, discover, outcome, pass, patiently, token_with_kid, until,
};

#[tokio::test]
async fn the_first_request_with_a_new_key_picks_it_up() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    provider.publish(&KEYS[..2]);
    let new = bench.token(&KEYS[1], &provider.issuer());
    assert!(bench.verifier.try_verify_for(RequirementId::default(), new.as_bytes()).is_none());
    assert_eq!(bench.outcome(&new).await, Outcome::Accept);
    assert_eq!(provider.hits(JWKS), 2);
    assert_eq!(bench.outcome_at_once(&new), Outcome::Accept);
}

#[tokio::test]
async fn the_first_request_ever_waits_for_the_first_keys() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::new(discover(&provider));
    assert_eq!(bench.outcome(&bench.token(&KEYS[0], &provider.issuer())).await, Outcome::Accept);
    assert_eq!(provider.hits(JWKS), 1);
}

#[tokio::test]
async fn two_hundred_requests_with_a_new_key_cause_one_fetch() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    provider.publish(&KEYS[..2]);
    let mut requests = JoinSet::new();
    for _ in 0..200 {
        let (verifier, new) = (bench.verifier.clone(), bench.token(&KEYS[1], &provider.issuer()));
        requests.spawn(async move { outcome(&verifier.verify(new.as_bytes()).await) });
    }
    let outcomes = patiently(requests.join_all()).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accept), "{outcomes:?}");
    assert_eq!(provider.hits(JWKS), 2, "the first fetch and one for all of them");
}

#[tokio::test]
async fn junk_causes_no_more_fetches_than_its_budget() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let mut rejected = 0;
    for number in 0..100 {
        let junk = token_with_kid(&format!("junk {number}"), &provider.issuer(), bench.clock.wall());
        match bench.outcome(&junk).await {
            Outcome::Reject(Reason::UnknownKid) => rejected += 1,
            Outcome::Undecided(Reason::KeyRefreshLimited) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    }
    assert_eq!((provider.hits(JWKS), rejected), (1 + 4, 4));

    // With the budget spent nobody waits, and the next fetch comes unasked.
    let junk = token_with_kid("more junk", &provider.issuer(), bench.clock.wall());
    assert_eq!(bench.outcome_at_once(&junk), Outcome::Undecided(Reason::KeyRefreshLimited));
    provider.publish(&KEYS[..2]);
    pass(Duration::from_secs(11)).await;
    bench.seen("refreshed", 6).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[1], &provider.issuer())), Outcome::Accept);
}

#[tokio::test]
async fn the_same_unknown_key_again_and_again_is_looked_for_once() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    for _ in 0..50 {
        // Each is a token of its own, so that nothing but the key's name is remembered.
        let junk = bench.token(&KEYS[1], &provider.issuer());
        assert_ne!(bench.outcome(&junk).await, Outcome::Accept);
    }
    assert_eq!(provider.hits(JWKS), 2);
}

#[tokio::test]
async fn what_needs_no_key_needs_no_fetch() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let issuer = provider.issuer();
    let now = bench.clock.wall();
    let claims = |audience: &str, issued: i64| serde_json::json!({ "iss": issuer, "aud": audience, "iat": issued, "exp": issued + 60 });
    let forged = |token: String| {
        let (signed, _) = token.rsplit_once('.').unwrap();
        let (_, signature) = bench
            .token(&KEYS[0], "other")
            .rsplit_once('.')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        format!("{signed}.{signature}")
    };
    for (token, reason) in [
        (String::new(), Reason::MalformedToken),
        ("a.b.c".to_owned(), Reason::MalformedToken),
        ("x".repeat(1 << 20), Reason::TokenTooLarge),
        (crate::support::sign(&KEYS[1], &claims("api", now - 7200)), Reason::Expired),
        (crate::support::sign(&KEYS[1], &claims("other", now)), Reason::WrongAudience),
        (token_with_kid("k", "https://other.example", now), Reason::UnknownIssuer),
        (forged(bench.token(&KEYS[0], &issuer)), Reason::InvalidSignature),
    ] {
        assert_eq!(bench.outcome_at_once(&token), Outcome::Reject(reason));
    }
    assert_eq!(provider.hits(JWKS), 1);
}

#[tokio::test]
async fn a_hung_endpoint_holds_an_unknown_key_up_for_a_second_and_no_other() {
    let provider = Provider::start(&KEYS[..1]).await;
    let issuer = provider.issuer();
    let bench = Bench::ready(discover(&provider)).await;
    provider.set(JWKS, Reply::Hang);
    let mut requests = JoinSet::new();
    for number in 0..50 {
        let (verifier, junk) =
            (bench.verifier.clone(), token_with_kid(&number.to_string(), &issuer, bench.clock.wall()));
        requests.spawn(async move { outcome(&verifier.verify(junk.as_bytes()).await) });
    }
    provider.hit(JWKS, 2).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &issuer)), Outcome::Accept);
    pass(Duration::from_millis(700)).await;
    assert!(requests.try_join_next().is_none());
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &issuer)), Outcome::Accept);
    pass(Duration::from_millis(400)).await;
    let outcomes = patiently(requests.join_all()).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Undecided(Reason::KeysUnavailable)));
    assert_eq!(provider.hits(JWKS), 2);
}

#[tokio::test]
async fn of_too_many_who_wait_the_rest_is_answered_at_once() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    provider.set(JWKS, Reply::Hang);
    let junk = bench.token(&KEYS[1], &provider.issuer());
    let mut requests = JoinSet::new();
    for _ in 0..1500 {
        let (verifier, junk) = (bench.verifier.clone(), junk.clone());
        requests.spawn(async move { outcome(&verifier.verify(junk.as_bytes()).await) });
    }
    provider.hit(JWKS, 2).await;
    let mut limited = 0;
    while let Some(outcome) = requests.try_join_next() {
        assert_eq!(outcome.unwrap(), Outcome::Undecided(Reason::KeyRefreshLimited));
        limited += 1;
    }
    assert_eq!((limited, requests.len()), (1500 - 1024, 1024));
    // Whoever goes away makes room.
    drop(requests);
    tokio::task::yield_now().await;
    let verifier = bench.verifier.clone();
    let again = tokio::spawn(async move { outcome(&verifier.verify(junk.as_bytes()).await) });
    tokio::task::yield_now().await;
    assert!(!again.is_finished());
    pass(Duration::from_millis(1100)).await;
    assert_eq!(patiently(again).await.unwrap(), Outcome::Undecided(Reason::KeysUnavailable));
}

#[tokio::test]
async fn an_unknown_key_while_the_provider_fails_does_not_make_it_ask_faster() {
    let provider = Provider::start(&KEYS[..1]).await;
    provider.set(JWKS, Reply::status(500));
    let rest = Duration::from_secs(1000);
    let settings = IssuerSettings {
        key_set: KeySetSettings { retries: 0, retry_rest: rest, ..KeySetSettings::default() },
        ..discover(&provider)
    };
    let bench = Bench::new(settings);
    bench.seen("failed: status", 1).await;
    for _ in 0..50 {
        let good = bench.token(&KEYS[0], &provider.issuer());
        assert_eq!(bench.outcome_at_once(&good), Outcome::Undecided(Reason::KeysUnavailable));
    }
    assert_eq!(provider.hits(JWKS), 1);
    provider.publish(&KEYS[..1]);
    pass(rest).await;
    until(|| bench.status().usable).await;
    assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
}
