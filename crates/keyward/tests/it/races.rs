//! Many threads, a provider that flaps, and real time: no valid token is ever blamed, and nothing hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keyward::clock::{Clock, SystemClock};
use keyward::{IssuerSettings, KeySetSettings, Verifier};
use tokio::task::JoinSet;

use crate::support::{
    JWKS, KEYS, Outcome, Provider, Record, Reply, discover, jwks, outcome, patiently, token, token_with_kid,
    until,
};

/// Everything as often as can be: so that refreshes and verdicts meet.
fn restless(provider: &Provider) -> IssuerSettings {
    let key_set = KeySetSettings {
        ttl: Duration::from_millis(2),
        min_ttl: Duration::from_millis(2),
        retry_base: Duration::from_millis(1),
        retry_rest: Duration::from_millis(2),
        kid_burst: 1000,
        kid_refill: Duration::from_millis(1),
        absent_memory: Duration::from_millis(1),
        ..KeySetSettings::default()
    };
    IssuerSettings { key_set, ..discover(provider) }
}

struct Race {
    provider: Provider,
    verifier: Verifier,
    record: Arc<Record>,
    now: i64,
}

async fn start() -> Race {
    let provider = Provider::start(&KEYS[..2]).await;
    let record = Record::new();
    let verifier = Verifier::builder().issuer(restless(&provider)).observer(record.clone()).start().unwrap();
    record.seen("idp", "refreshed", 1).await;
    Race { provider, verifier, record, now: SystemClock::new().now().wall.0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flapping_provider_makes_no_valid_token_a_bad_one() {
    let Race { provider, verifier, record, now } = start().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut requests = JoinSet::new();
    for worker in 0..8 {
        let (verifier, done, issuer) = (verifier.clone(), Arc::clone(&done), provider.issuer());
        requests.spawn(async move {
            let mut checked = 0;
            while !done.load(Ordering::Relaxed) {
                // Issued long ago, too: what is old enough to be known must be known.
                let good = token(&KEYS[worker % 2], &issuer, now - 600 * (checked % 2) - checked % 7);
                let verdict = verifier.verify(good.as_bytes()).await;
                assert_eq!(outcome(&verdict), Outcome::Accept);
                checked += 1;
                if worker >= 6 {
                    // Junk beside it, which makes the refreshes denser.
                    let junk = token_with_kid(&format!("{worker} {checked}"), &issuer, now);
                    assert_ne!(outcome(&verifier.verify(junk.as_bytes()).await), Outcome::Accept);
                }
                tokio::task::yield_now().await;
            }
            checked
        });
    }
    let sets = [
        Reply::ok(jwks(&KEYS[..2])),
        Reply::ok(jwks(KEYS[..3].iter().rev())),
        Reply::status(500),
        Reply::ok(r#"{"keys":[]}"#),
        Reply::ok(jwks(KEYS.iter())),
        Reply::Cut(jwks(&KEYS[..2])),
        Reply::ok("<html>"),
    ];
    for round in 0..63 {
        provider.set(JWKS, sets[round % sets.len()].clone());
        provider.hit(JWKS, provider.hits(JWKS) + 1).await;
    }
    done.store(true, Ordering::Relaxed);
    let checked = patiently(requests.join_all()).await;
    assert!(checked.iter().all(|checked| *checked > 10), "{checked:?}");
    let events = record.events("idp");
    for word in
        ["refreshed", "failed: status", "failed: no_usable_key", "failed: connect", "failed: malformed"]
    {
        assert!(events.iter().any(|event| event == word), "no {word}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_provider_that_rotates_under_load_loses_no_token() {
    let Race { provider, verifier, now, .. } = start().await;
    let (signing, rounds) = (Arc::new(AtomicUsize::new(0)), Arc::new([const { AtomicUsize::new(0) }; 6]));
    let done = Arc::new(AtomicBool::new(false));
    let mut requests = JoinSet::new();
    for worker in 0..6 {
        let (verifier, done, signing) = (verifier.clone(), Arc::clone(&done), Arc::clone(&signing));
        let (issuer, rounds) = (provider.issuer(), Arc::clone(&rounds));
        requests.spawn(async move {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                // Signed with the key of the moment; it stays published until long after the verdict.
                let good = token(&KEYS[signing.load(Ordering::SeqCst) % 6], &issuer, now + number % 50);
                assert_eq!(outcome(&verifier.verify(good.as_bytes()).await), Outcome::Accept);
                number += 1;
                rounds[worker].fetch_add(1, Ordering::SeqCst);
                // A verdict without a fetch waits for nothing, and would keep the worker to itself.
                tokio::task::yield_now().await;
            }
        });
    }
    for active in 0..60 {
        // The next key is published, then signs; those before it stay.
        provider.publish([
            &KEYS[(active + 4) % 6],
            &KEYS[(active + 5) % 6],
            &KEYS[active % 6],
            &KEYS[(active + 1) % 6],
        ]);
        signing.store(active, Ordering::SeqCst);
        // Until everybody signs with the new one.
        let before: Vec<_> = rounds.iter().map(|rounds| rounds.load(Ordering::SeqCst)).collect();
        until(|| {
            rounds.iter().zip(&before).all(|(rounds, before)| rounds.load(Ordering::SeqCst) > before + 1)
        })
        .await;
    }
    done.store(true, Ordering::Relaxed);
    while let Some(request) = patiently(requests.join_next()).await {
        request.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reloads_under_load_lose_no_token() {
    let Race { provider, verifier, now, record } = start().await;
    let issuer = provider.issuer();
    let (current, watched) = tokio::sync::watch::channel(verifier);
    let mut requests = JoinSet::new();
    for worker in 0..6 {
        let (mut watched, issuer) = (watched.clone(), issuer.clone());
        requests.spawn(async move {
            for number in 0..200 {
                let verifier = watched.borrow_and_update().clone();
                let good = token(&KEYS[worker % 2], &issuer, now - number);
                assert_eq!(outcome(&verifier.verify(good.as_bytes()).await), Outcome::Accept);
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 0..50 {
        let audience = format!("round {round}");
        let settings = restless(&provider).audience(&audience);
        let previous = current.borrow().clone();
        let next = Verifier::builder().issuer(settings).observer(record.clone()).previous(&previous);
        current.send_replace(next.start().unwrap());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while let Some(request) = patiently(requests.join_next()).await {
        request.unwrap();
    }
}
