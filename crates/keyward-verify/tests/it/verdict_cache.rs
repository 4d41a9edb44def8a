//! A remembered verdict is worth what the token is worth now: no more, and of this token only.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keyward_verify::key_set::Step;
use keyward_verify::{Issuer, MonoTime, Now, Reason, UnixTime, VerdictCache, Verified};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const MEBIBYTE: u64 = 1 << 20;

/// A token of [`KEYS`]`[0]` and the verdict on it, whose key lives on in `issuer`.
fn verdict(issuer: &Issuer, claims: &Value) -> (String, Verified) {
    let token = sign(&KEYS[0], claims);
    let verified = accepted(judge(START, START.mono, issuer, &token));
    (token, verified)
}

fn at(seconds: i64) -> Now {
    Now { wall: UnixTime(START.wall.0 + seconds), ..START }
}

#[test]
fn a_verdict_is_found_by_its_token_and_its_requirement_only() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let (token, verified) = verdict(&issuer_of(&machine), &good_claims());
    let cache = VerdictCache::new(MEBIBYTE, 1);
    assert!(cache.is_empty() && cache.get(START, 0, token.as_bytes()).is_none());
    cache.insert(0, token.as_bytes(), verified);
    let hit = cache.get(START, 0, token.as_bytes()).expect("it was put in");
    assert_eq!(hit.subject(), Some("alice"));
    assert!(cache.get(START, 1, token.as_bytes()).is_none(), "another requirement may demand more");
    assert!(cache.get(START, u32::MAX, token.as_bytes()).is_none());
    assert_eq!(cache.len(), 1);
}

#[test]
fn a_verdict_lasts_as_long_as_its_token_by_the_wall_clock() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let claims = with(good_claims(), "exp", START.wall.0 + 100);
    let claims = with(claims, "nbf", START.wall.0 - 10);
    let (token, verified) = verdict(&issuer_of(&machine), &claims);
    // (nbf and iat) - leeway is the later of -70 and -60; exp + leeway is 160.
    for (seconds, held) in [(-61, false), (-60, true), (0, true), (159, true), (160, false), (9999, false)] {
        let cache = VerdictCache::new(MEBIBYTE, 1);
        cache.insert(0, token.as_bytes(), verified.clone());
        assert_eq!(cache.get(at(seconds), 0, token.as_bytes()).is_some(), held, "{seconds} s");
        assert_eq!(cache.len(), usize::from(held), "what no longer holds is dropped");
    }
}

/// The provider publishes, under a denied name too, the key that the verdict was made with.
#[test]
fn a_verdict_dies_when_its_key_turns_out_to_be_a_denied_one() {
    let mut machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let mut issuer = issuer_of(&machine);
    std::sync::Arc::make_mut(&mut issuer.policy).denied_kids = vec!["leaked".into()];
    let (token, verified) = verdict(&issuer, &with(good_claims(), "exp", START.wall.0 + 100_000));
    let cache = VerdictCache::new(MEBIBYTE, 1);
    cache.insert(0, token.as_bytes(), verified);
    assert!(cache.get(START, 0, token.as_bytes()).is_some());
    let now = next_fetch(&mut machine, START, &[own_jwk(&KEYS[0]), jwk(&KEYS[0], Some("leaked"))]);
    assert!(cache.get(now, 0, token.as_bytes()).is_none());
    assert_eq!(outcome_now(now, &issuer, &token), Outcome::Reject(Reason::Revoked));
}

#[test]
fn a_verdict_dies_with_its_key() {
    let mut machine = machine_with(START, &[own_jwk(&KEYS[0]), own_jwk(&KEYS[1])]);
    let claims = with(good_claims(), "exp", START.wall.0 + 100_000);
    let (token, verified) = verdict(&issuer_of(&machine), &claims);
    let cache = VerdictCache::new(MEBIBYTE, 1);
    cache.insert(0, token.as_bytes(), verified.clone());

    let mut now = next_fetch(&mut machine, START, &[own_jwk(&KEYS[1]), own_jwk(&KEYS[0])]);
    assert!(cache.get(now, 0, token.as_bytes()).is_some(), "the same key in the next set keeps it");
    now = next_fetch(&mut machine, now, &[own_jwk(&KEYS[1])]);
    assert!(cache.get(now, 0, token.as_bytes()).is_none(), "a refresh removed the key");
    cache.insert(0, token.as_bytes(), verified);
    assert!(cache.get(now, 0, token.as_bytes()).is_none(), "a verdict that comes late is as dead");
    now = next_fetch(&mut machine, now, &[own_jwk(&KEYS[0])]);
    assert!(cache.get(now, 0, token.as_bytes()).is_none(), "a key that is back is verified with anew");
    assert_eq!(outcome_now(now, &issuer_of(&machine), &token), Outcome::Accept);
}

#[test]
fn a_verdict_dies_with_the_stale_limit() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let claims = with(good_claims(), "exp", START.wall.0 + 100_000);
    let (token, verified) = verdict(&issuer_of(&machine), &claims);
    let limit = later(START, seconds(3600));
    for (mono, held) in [(limit.mono.0 - 1, true), (limit.mono.0, false)] {
        let cache = VerdictCache::new(MEBIBYTE, 1);
        cache.insert(0, token.as_bytes(), verified.clone());
        let now = Now { mono: MonoTime(mono), ..limit };
        assert_eq!(cache.get(now, 0, token.as_bytes()).is_some(), held);
    }
}

#[test]
fn a_hundred_thousand_tokens_stay_within_the_memory_that_was_given() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let (token, verified) = verdict(&issuer_of(&machine), &good_claims());
    for capacity in [64 * 1024, MEBIBYTE] {
        let cache = VerdictCache::new(capacity, 1);
        for n in 0..100_000_u32 {
            cache.insert(n % 3, format!("{token}{n}").as_bytes(), verified.clone());
            assert!(n % 100 != 0 || cache.octets() <= capacity, "{} octets of {capacity}", cache.octets());
        }
        assert!(cache.octets() <= capacity && cache.octets() > capacity / 2);
        let held = (0..100_000_u32)
            .filter(|n| cache.get(START, n % 3, format!("{token}{n}").as_bytes()).is_some())
            .count();
        assert_eq!(held, cache.len());
    }
    let cache = VerdictCache::new(1024, 1);
    cache.insert(0, &[b'a'; 16 * 1024], verified);
    assert!(cache.octets() <= 1024, "what does not fit is left out");
}

/// Whoever chooses what stands in a token, such as metadata of his own, must not choose our memory.
#[test]
fn a_verdict_counts_for_the_memory_that_it_takes_once_its_claims_are_read() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let issuer = issuer_of(&machine);
    let many_members = (0..900).map(|n| (format!("{n}"), json!(n)));
    for claims in [
        good_claims(),
        with(good_claims(), "metadata", json!(vec![json!({ "a": 1 }); 1300])),
        with(good_claims(), "metadata", json!(vec![json!({}); 1000])),
        with(good_claims(), "metadata", json!(vec![json!([[]]); 1500])),
        with(good_claims(), "metadata", json!(vec![1; 5500])),
        with(good_claims(), "metadata", json!(vec![""; 3500])),
        with(good_claims(), "metadata", Value::Object(many_members.collect())),
        with(good_claims(), "aud", json!(vec![""; 3500])),
        with(good_claims(), "scope", json!(vec!["\n"; 2000])),
    ] {
        let token = sign(&KEYS[0], &claims);
        let cache = VerdictCache::new(128 * MEBIBYTE, 1);
        let taken = allocation_counter::measure(|| {
            let verified = accepted(judge(START, START.mono, &issuer, &token));
            cache.insert(0, token.as_bytes(), verified);
            let verified = cache.get(START, 0, token.as_bytes()).unwrap();
            assert!(verified.claims().pointer("/iss").is_some());
        });
        let (taken, counted) = (u64::try_from(taken.bytes_current).unwrap(), cache.octets());
        assert!(taken < counted * 5 / 4, "{taken} octets taken, {counted} counted");
    }
}

#[test]
fn a_hit_allocates_nothing() {
    let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let (token, verified) = verdict(&issuer_of(&machine), &good_claims());
    let cache = VerdictCache::new(MEBIBYTE, 1);
    cache.insert(0, token.as_bytes(), verified);
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert!(cache.get(START, 0, token.as_bytes()).is_some());
        }
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(7))));
    assert_eq!(counted.count_total, 1, "the counter counts");
}

/// Two keys take turns, and every verdict with the one that is out is dead from the moment that the call
/// which removed it returns: for readers, and for those who put in late what they decided before.
#[test]
fn no_reader_gets_a_verdict_of_a_key_after_the_call_that_removed_it() {
    let rounds = 400;
    let claims = with(good_claims(), "exp", START.wall.0 + 10_000_000);
    let tokens: Vec<_> = KEYS[..2].iter().map(|key| sign(key, &claims)).collect();
    let mut machine = machine_with(START, &[own_jwk(&KEYS[0])]);
    let issuer = issuer_of(&machine);
    let cache = VerdictCache::new(MEBIBYTE, 1);
    // Odd while `fetched` runs; half of it, modulo 2, is the key that is in otherwise.
    let phase = AtomicU64::new(0);
    let mono = AtomicU64::new(START.mono.0);
    let (hits, done, violated) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(false));

    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    for (key, token) in tokens.iter().enumerate() {
                        let before = phase.load(Ordering::SeqCst);
                        let now = Now { mono: MonoTime(mono.load(Ordering::SeqCst)), ..START };
                        let hit = cache.get(now, 0, token.as_bytes());
                        let after = phase.load(Ordering::SeqCst);
                        let is_out =
                            before == after && before.is_multiple_of(2) && before / 2 % 2 != key as u64;
                        if is_out && hit.is_some() {
                            violated.store(true, Ordering::SeqCst);
                        }
                        if hit.is_some() {
                            hits.fetch_add(1, Ordering::SeqCst);
                        } else if let Outcome::Accept = outcome_now(now, &issuer, token) {
                            let decision = judge(now, now.mono, &issuer, token);
                            std::thread::yield_now();
                            if let keyward_verify::Decision::Decided(keyward_verify::Verdict::Accept(it)) =
                                decision
                            {
                                cache.insert(0, token.as_bytes(), it);
                            }
                        }
                    }
                }
            });
        }
        for round in 1..=rounds {
            let due = machine.next_fetch().unwrap();
            let now = Now { mono: due, ..START };
            assert_eq!(machine.poll(now), Step::Fetch);
            let answer = answer(&[own_jwk(&KEYS[round % 2])]);
            phase.fetch_add(1, Ordering::SeqCst);
            machine.fetched(now, Ok(answer));
            phase.fetch_add(1, Ordering::SeqCst);
            mono.store(due.0, Ordering::SeqCst);
            let seen = hits.load(Ordering::SeqCst);
            while hits.load(Ordering::SeqCst) < seen + 20 && !violated.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(!violated.into_inner(), "a verdict was given whose key was removed before");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Tokens that are alike: cut, lengthened, of one letter, with parts in common.
    #[test]
    fn no_token_is_taken_for_another(
        put_in in prop::collection::hash_set((0..3_u32, "(eyJ)?[ab.]{0,6}"), 0..40),
        asked in prop::collection::vec((0..3_u32, "(eyJ)?[ab.]{0,6}"), 0..40),
        seed in any::<u64>(),
    ) {
        let machine = machine_with(START, &[own_jwk(&KEYS[0])]);
        let (_, verified) = verdict(&issuer_of(&machine), &good_claims());
        let cache = VerdictCache::new(MEBIBYTE, seed);
        for (requirement, token) in &put_in {
            cache.insert(*requirement, token.as_bytes(), verified.clone());
        }
        for pair in put_in.iter().chain(&asked) {
            let hit = cache.get(START, pair.0, pair.1.as_bytes());
            prop_assert_eq!(hit.is_some(), put_in.contains(pair));
        }
    }
}
