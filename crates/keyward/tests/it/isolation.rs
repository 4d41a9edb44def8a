//! Promise 6: one issuer's trouble stays its own.

use std::time::Duration;

use keyward::{IssuerSettings, Reason, SettingsError, Verifier};

use crate::support::{
    Bench, JWKS, KEYS, OPENID, Outcome, Provider, Reply, TestClock, pass, token, token_with_kid, until,
};

async fn two() -> (Provider, Provider, Bench) {
    let (bad, good) = (Provider::start(&KEYS[..1]).await, Provider::start(&KEYS[1..2]).await);
    bad.set(OPENID, Reply::Hang);
    let bench = Bench::with(TestClock::new(), |builder| {
        builder
            .issuer(IssuerSettings::discover(&bad.issuer()).named("bad"))
            .issuer(IssuerSettings::discover(&good.issuer()).named("good"))
    });
    bench.record.seen("good", "refreshed", 1).await;
    (bad, good, bench)
}

#[tokio::test]
async fn an_issuer_that_hangs_slows_no_other() {
    let (bad, good, bench) = two().await;
    bad.hit(OPENID, 1).await;
    let hung = {
        let (verifier, hung) = (bench.verifier.clone(), bench.token(&KEYS[0], &bad.issuer()));
        tokio::spawn(async move { verifier.verify(hung.as_bytes()).await.reason() })
    };
    for _ in 0..20 {
        assert_eq!(bench.outcome_at_once(&bench.token(&KEYS[1], &good.issuer())), Outcome::Accept);
    }
    // A rotation at the one is picked up while the other hangs.
    good.publish(&KEYS[1..3]);
    assert_eq!(bench.outcome(&bench.token(&KEYS[2], &good.issuer())).await, Outcome::Accept);
    assert!(!hung.is_finished());
    pass(Duration::from_millis(1100)).await;
    assert_eq!(hung.await.unwrap(), Some(Reason::KeysUnavailable));
    let states: Vec<_> =
        bench.verifier.status().into_iter().map(|status| (status.name, status.state)).collect();
    assert_eq!(states, [("bad".to_owned(), "empty"), ("good".to_owned(), "fresh")]);
}

#[tokio::test]
async fn the_junk_of_one_issuer_spends_no_budget_of_another() {
    let (bad, good, bench) = two().await;
    bad.set(OPENID, Reply::ok(bad.metadata(&bad.issuer())));
    pass(Duration::from_secs(40)).await;
    until(|| bench.verifier.status()[0].usable).await;
    for number in 0..20 {
        let junk = token_with_kid(&number.to_string(), &bad.issuer(), bench.clock.wall());
        assert_ne!(bench.outcome(&junk).await, Outcome::Accept);
    }
    good.publish(&KEYS[1..3]);
    assert_eq!(bench.outcome(&bench.token(&KEYS[2], &good.issuer())).await, Outcome::Accept);
    assert_eq!(good.hits(JWKS), 2);
}

#[tokio::test]
async fn the_keys_of_one_issuer_verify_no_token_of_another() {
    let (bad, good, bench) = two().await;
    let crossed = bench.token(&KEYS[0], &good.issuer());
    assert_eq!(bench.outcome(&crossed).await, Outcome::Reject(Reason::UnknownKid));
    bad.set(OPENID, Reply::ok(bad.metadata(&bad.issuer())));
    pass(Duration::from_secs(40)).await;
    until(|| bench.verifier.status()[0].usable).await;
    let now = bench.clock.wall();
    assert_eq!(bench.outcome_at_once(&token(&KEYS[0], &bad.issuer(), now)), Outcome::Accept);
    assert_ne!(bench.outcome(&token(&KEYS[0], &good.issuer(), now)).await, Outcome::Accept);
    assert_ne!(bench.outcome(&token(&KEYS[1], &bad.issuer(), now)).await, Outcome::Accept);
}

#[tokio::test]
async fn two_issuers_of_one_name_are_refused() {
    let issuer = |issuer, name| IssuerSettings::discover(issuer).named(name);
    for (one, two) in [
        (issuer("https://a.example", "same"), issuer("https://b.example", "same")),
        (issuer("https://a.example", "a"), issuer("https://a.example", "b")),
    ] {
        let refused = Verifier::builder().issuer(one).issuer(two).start();
        assert!(matches!(refused, Err(SettingsError::DuplicateIssuer(_))));
    }
    assert!(matches!(Verifier::builder().start(), Err(SettingsError::NoIssuer)));
}
