//! A new configuration goes on with the keys of the old one, and forgets its verdicts.

use std::time::Duration;

use keyward::{IssuerSettings, KeySetSettings, Reason, Verifier};

use crate::support::{
    Bench, JWKS, KEYS, Outcome, Provider, Record, Reply, discover, outcome, pass, patiently,
};

fn reload(old: &Bench, settings: IssuerSettings) -> Bench {
    let verifier =
        Verifier::builder().issuer(settings).observer(old.record.clone()).previous(&old.verifier).start();
    Bench { verifier: verifier.unwrap(), clock: old.clock.clone(), record: old.record.clone() }
}

#[tokio::test]
async fn a_new_configuration_keeps_the_keys_and_fetches_nothing() {
    let provider = Provider::start(&KEYS[..1]).await;
    let old = Bench::ready(discover(&provider)).await;
    provider.set(JWKS, Reply::status(500));
    let new = reload(&old, discover(&provider).audience("other"));
    assert_eq!(new.outcome_at_once(&new.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    drop(old);
    assert_eq!(new.outcome_at_once(&new.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    assert_eq!(provider.hits(JWKS), 1);
    // The refresh that was planned still comes, and once.
    provider.publish(&KEYS[..2]);
    pass(Duration::from_secs(301)).await;
    new.seen("refreshed", 2).await;
    assert_eq!((provider.hits(JWKS), new.status().keys.len()), (2, 2));
}

#[tokio::test]
async fn a_verdict_of_the_old_configuration_is_not_taken_over() {
    let provider = Provider::start(&KEYS[..1]).await;
    let old = Bench::ready(discover(&provider)).await;
    let token = old.token(&KEYS[0], &provider.issuer());
    assert_eq!(old.outcome_at_once(&token), Outcome::Accept);
    assert_eq!(old.verifier.cache_size().0, 1);
    let strict = IssuerSettings::discover(&provider.issuer()).named("idp").audience("other");
    let new = reload(&old, strict);
    assert_eq!(new.verifier.cache_size(), (0, 0));
    assert_eq!(new.outcome_at_once(&token), Outcome::Reject(Reason::WrongAudience));
    assert_eq!(old.outcome_at_once(&token), Outcome::Accept);
}

#[tokio::test]
async fn who_is_told_changes_with_the_configuration() {
    let provider = Provider::start(&KEYS[..1]).await;
    let old = Bench::ready(discover(&provider)).await;
    let record = Record::new();
    let builder = Verifier::builder().issuer(discover(&provider)).observer(record.clone());
    let new = builder.previous(&old.verifier).start().unwrap();
    pass(Duration::from_secs(301)).await;
    record.seen("idp", "refreshed", 1).await;
    assert_eq!(old.record.events("idp"), ["refreshed"]);
    // Where none is named, it stays the same.
    let newer = Verifier::builder().issuer(discover(&provider)).previous(&new).start().unwrap();
    pass(Duration::from_secs(301)).await;
    record.seen("idp", "refreshed", 2).await;
    drop(newer);
}

#[tokio::test]
async fn keys_from_another_place_start_anew() {
    let provider = Provider::start(&KEYS[..1]).await;
    provider.set("/elsewhere", Reply::ok(crate::support::jwks(&KEYS[1..2])));
    let old = Bench::ready(discover(&provider)).await;
    let elsewhere = IssuerSettings::jwks_uri(&provider.issuer(), provider.url("/elsewhere").parse().unwrap());
    let new = reload(&old, elsewhere.named("idp"));
    // Nothing of the old place is left from the first moment on.
    assert_eq!(new.status().state, "empty");
    assert_eq!(
        new.outcome(&new.token(&KEYS[0], &provider.issuer())).await,
        Outcome::Reject(Reason::UnknownKid)
    );
    assert_eq!(new.outcome(&new.token(&KEYS[1], &provider.issuer())).await, Outcome::Accept);
}

/// Promise 3: what an operator changes about the keeping removes no key while the provider is down.
#[tokio::test]
async fn another_way_to_keep_the_keys_goes_on_with_them_and_fetches_again() {
    let provider = Provider::start(&KEYS[..1]).await;
    let old = Bench::ready(discover(&provider)).await;
    provider.set(JWKS, Reply::status(500));
    let key_set = KeySetSettings { stale_limit: Duration::from_secs(600), ..KeySetSettings::default() };
    let new = reload(&old, IssuerSettings { key_set, ..discover(&provider) });
    drop(old);
    assert_eq!(new.outcome_at_once(&new.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    provider.hit(JWKS, 2).await;
    assert_eq!(new.outcome_at_once(&new.token(&KEYS[0], &provider.issuer())), Outcome::Accept);
    provider.publish(&KEYS[1..2]);
    pass(Duration::from_secs(31)).await;
    new.seen("refreshed", 2).await;
    let removed = new.token(&KEYS[0], &provider.issuer());
    assert_ne!(new.outcome(&removed).await, Outcome::Accept);
}

#[tokio::test]
async fn a_bad_configuration_leaves_the_old_one_running() {
    let provider = Provider::start(&KEYS[..1]).await;
    let old = Bench::ready(discover(&provider)).await;
    let bad = IssuerSettings::discover("http://idp.example");
    let builder = Verifier::builder().issuer(discover(&provider)).issuer(bad);
    assert!(builder.previous(&old.verifier).start().is_err());
    provider.publish(&KEYS[..2]);
    assert_eq!(old.outcome(&old.token(&KEYS[1], &provider.issuer())).await, Outcome::Accept);
}

#[tokio::test]
async fn a_request_under_way_is_answered_by_the_configuration_that_took_it() {
    let provider = Provider::start(&KEYS[..1]).await;
    let old = Bench::ready(discover(&provider)).await;
    provider.set(JWKS, Reply::Hang);
    let unknown = old.token(&KEYS[1], &provider.issuer());
    let verifier = old.verifier.clone();
    let waiting = tokio::spawn(async move { outcome(&verifier.verify(unknown.as_bytes()).await) });
    provider.hit(JWKS, 2).await;
    let new = reload(&old, discover(&provider));
    drop(old);
    pass(Duration::from_millis(1100)).await;
    assert_eq!(patiently(waiting).await.unwrap(), Outcome::Undecided(Reason::KeysUnavailable));
    drop(new);
}

#[tokio::test]
async fn a_verifier_that_is_dropped_fetches_nothing_more() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    let clone = bench.verifier.clone();
    drop(bench);
    pass(Duration::from_secs(301)).await;
    provider.hit(JWKS, 2).await;
    drop(clone);
    for _ in 0..5 {
        pass(Duration::from_secs(301)).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(provider.hits(JWKS), 2);
    // Nor does one that was dropped in the middle of a fetch.
    provider.set(JWKS, Reply::Hang);
    let bench = Bench::new(discover(&provider));
    provider.hit(JWKS, 3).await;
    drop(bench);
    tokio::time::sleep(Duration::from_millis(2)).await;
    pass(Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(provider.hits(JWKS), 3);
}
