//! The memory of used proofs, against a naive model and from many threads.

use std::sync::Barrier;
use std::thread;

use keyward_jose::DecodeBuffer;
use keyward_verify::binding::{BindingSettings, Checked, Once, ReplayCache};
use keyward_verify::{MonoTime, Now, Reason, UnixTime, Verified};
use proptest::prelude::*;

use crate::proofs::*;
use crate::support::*;

/// Proofs with these `jti`s, made at these times: each as it is remembered.
fn onces(token: &str, verified: &Verified, proofs: &[(usize, i64)]) -> Vec<Once> {
    let once = |(jti, iat): &(usize, i64)| {
        let claims = with(proof_claims(token), "jti", jti.to_string());
        let claims = with(claims, "iat", *iat);
        let jws = sign_proof(&CLIENT, &proof_header(&CLIENT), &claims);
        check_proof_at(at(*iat), BindingSettings::default(), token, verified, &jws).unwrap()
    };
    proofs.iter().map(once).collect()
}

fn at(wall: i64) -> Now {
    Now { wall: UnixTime(wall), mono: MonoTime(0) }
}

/// A proof of the first `jti`s, made at [`START`].
fn first(count: usize) -> Vec<Once> {
    let (token, verified) = dpop_bound();
    let proofs: Vec<_> = (0..count).map(|jti| (jti, START.wall.0)).collect();
    onces(&token, &verified, &proofs)
}

#[test]
fn a_proof_is_used_once_and_remembered_for_as_long_as_it_could_be_used() {
    let [once] = first(1)[..] else { panic!("one") };
    let cache = ReplayCache::new(10);
    assert!(cache.is_empty());
    assert_eq!(cache.remember(START, &once), Ok(()));
    for late in [0, 1, 119] {
        assert_eq!(cache.remember(at(START.wall.0 + late), &once), Err(Reason::ProofReplayed), "{late} s");
    }
    assert_eq!(cache.len(), 1);
    assert_eq!(cache.remember(at(START.wall.0 + 120), &once), Err(Reason::ProofInvalid), "too old now");
    assert_eq!(cache.len(), 0, "and forgotten");
}

#[test]
fn a_proof_that_is_taken_back_may_be_used_once_more_and_its_place_is_freed_in_time() {
    let [once, other] = first(2)[..] else { panic!("two") };
    let cache = ReplayCache::new(3);
    assert_eq!(cache.remember(START, &once), Ok(()));
    cache.release(&once);
    assert_eq!(cache.remember(START, &once), Ok(()));
    assert_eq!(cache.remember(START, &once), Err(Reason::ProofReplayed));
    assert_eq!((cache.len(), cache.remember(START, &other)), (2, Ok(())));
    cache.release(&other);
    assert_eq!(cache.remember(START, &other), Err(Reason::Overloaded), "nobody fills it by taking back");
    // Each clears the part of the memory that it belongs to.
    assert_eq!(cache.remember(at(START.wall.0 + 120), &once), Err(Reason::ProofInvalid));
    assert_eq!(cache.remember(at(START.wall.0 + 120), &other), Err(Reason::ProofInvalid));
    assert_eq!(cache.len(), 0);
}

#[test]
fn a_full_memory_forgets_nothing_that_could_be_used_and_says_so() {
    let proofs = first(40);
    let cache = ReplayCache::new(30);
    for once in &proofs[..30] {
        assert_eq!(cache.remember(START, once), Ok(()));
    }
    for once in &proofs[30..] {
        assert_eq!(cache.remember(START, once), Err(Reason::Overloaded));
    }
    for once in &proofs[..30] {
        assert_eq!(cache.remember(START, once), Err(Reason::ProofReplayed), "none was evicted");
    }
    cache.set_limit(31);
    assert_eq!(cache.remember(START, &proofs[30]), Ok(()));
    // What is too old makes room, wherever it lies.
    let (token, verified) = dpop_bound();
    let later = at(START.wall.0 + 120);
    let young: Vec<_> = (0..31).map(|jti| (jti, later.wall.0)).collect();
    for once in onces(&token, &verified, &young) {
        assert_eq!(cache.remember(later, &once), Ok(()));
    }
    assert_eq!(cache.len(), 31);
}

#[test]
fn a_wall_clock_that_goes_back_brings_no_used_proof_back() {
    let (token, verified) = dpop_bound();
    let start = START.wall.0;
    let [old, new] = onces(&token, &verified, &[(0, start), (1, start + 1)])[..] else { panic!("two") };
    let cache = ReplayCache::new(10);
    assert_eq!(cache.remember(START, &old), Ok(()));
    // An hour ahead for one request, in which all is forgotten.
    assert_eq!(cache.remember(at(start + 3600), &old), Err(Reason::ProofInvalid));
    assert_eq!(cache.remember(START, &old), Err(Reason::ProofInvalid), "it may have been used");
    assert_eq!(cache.remember(START, &new), Ok(()), "and what is younger was not");
}

#[test]
fn the_same_proof_by_many_threads_at_once_passes_exactly_once() {
    const THREADS: usize = 8;
    let proofs = first(200);
    let cache = ReplayCache::new(1000);
    let barrier = Barrier::new(THREADS);
    let passed: Vec<Vec<bool>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let try_one = |once: &Once| {
                        barrier.wait();
                        cache.remember(START, once).is_ok()
                    };
                    proofs.iter().map(try_one).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for proof in 0..proofs.len() {
        assert_eq!(passed.iter().filter(|passed| passed[proof]).count(), 1, "proof {proof}");
    }
}

#[test]
fn threads_that_fill_it_together_go_no_further_than_the_limit() {
    let proofs = first(160);
    let cache = ReplayCache::new(100);
    let passed: usize = thread::scope(|scope| {
        let fill = |part: &[Once]| part.iter().filter(|once| cache.remember(START, once).is_ok()).count();
        let threads: Vec<_> = proofs.chunks(20).map(|part| scope.spawn(move || fill(part))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((passed, cache.len()), (100, 100));
}

#[test]
fn a_jti_is_used_up_for_its_key_and_its_uri_however_they_are_spelt() {
    let (token, verified) = dpop_bound();
    let once = |claims: &serde_json::Value| {
        let jws = sign_proof(&CLIENT, &proof_header(&CLIENT), claims);
        check_proof_at(START, BindingSettings::default(), &token, &verified, &jws).unwrap()
    };
    let good = proof_claims(&token);
    let cache = ReplayCache::new(10);
    assert_eq!(cache.remember(START, &once(&good)), Ok(()));
    for again in [
        good.clone(),
        with(good.clone(), "htu", "HTTPS://API.example:443/x/../%6frders?a=b"),
        with(good.clone(), "iat", START.wall.0 - 1),
        with(good.clone(), "more", 1),
    ] {
        assert_eq!(cache.remember(START, &once(&again)), Err(Reason::ProofReplayed), "{again}");
    }
    assert_eq!(cache.remember(START, &once(&with(good.clone(), "jti", "e1j3V_bKic8-LAEC"))), Ok(()));
    // Another secret, as another process has, makes other keys of the same proof.
    let other = keyward_verify::binding::BindingCheck::new(BindingSettings::default(), &[8; 32]);
    let jws = proof(&token);
    let came =
        other.check(START, None, token.as_bytes(), &verified, &with_proof(&jws), &mut DecodeBuffer::new());
    let Ok(Checked::Once(theirs)) = came else { panic!("it holds") };
    assert_ne!(theirs.key, once(&good).key);
}

#[test]
fn no_client_can_make_it_forget_early_and_so_doubt_the_proofs_of_others() {
    let (token, verified) = dpop_bound();
    let start = START.wall.0;
    // As far ahead as may be, and over as soon as may be.
    let claims = with(with(proof_claims(&token), "iat", start + 60), "exp", start - 59);
    let jws = sign_proof(&CLIENT, &proof_header(&CLIENT), &with(claims, "jti", "a"));
    let odd = check_proof_at(START, BindingSettings::default(), &token, &verified, &jws).unwrap();
    let cache = ReplayCache::new(10);
    assert_eq!(cache.remember(START, &odd), Ok(()));
    for late in [1, 60, 179, 180, 181] {
        let now = at(start + late);
        let made: Vec<_> = (0..40).map(|jti| (100 * late as usize + jti, now.wall.0)).collect();
        for once in onces(&token, &verified, &made) {
            assert_ne!(cache.remember(now, &once), Err(Reason::ProofInvalid), "{late} s later");
        }
    }
}

/// What the naive memory holds, for ever: `jti`, `iat`.
type Used = (usize, i64);

/// For how long after its `iat` a proof may be used.
const LIFE: i64 = 120;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With a clock that only goes forward, it says what a memory without an end would say; where it is full, it says so,
    /// and only when it is.
    #[test]
    fn it_says_what_a_memory_without_an_end_says(
        steps in prop::collection::vec((0_i64..40, 0_usize..6, -60_i64..60), 1..80),
        limit in 1_usize..8,
    ) {
        let (token, verified) = dpop_bound();
        let mut proofs = Vec::new();
        let mut now = START.wall.0;
        for (wait, jti, ahead) in &steps {
            now += wait;
            // At most so far ahead, so that it may be used now.
            proofs.push((now, (*jti, now + ahead)));
        }
        let made: Vec<_> = proofs.iter().map(|(_, proof)| *proof).collect();
        let onces = onces(&token, &verified, &made);
        let cache = ReplayCache::new(limit);
        let mut used: Vec<Used> = Vec::new();
        for ((now, (jti, iat)), once) in proofs.into_iter().zip(onces) {
            let alive = |(_, iat): &&Used| iat + LIFE > now;
            let expected = if used.iter().filter(alive).any(|(seen, _)| *seen == jti) {
                Err(Reason::ProofReplayed)
            } else if used.iter().filter(alive).count() >= limit {
                Err(Reason::Overloaded)
            } else {
                used.push((jti, iat));
                Ok(())
            };
            prop_assert_eq!(cache.remember(at(now), &once), expected, "jti {} iat {} at {}", jti, iat, now);
            prop_assert!(cache.len() <= limit);
        }
    }

    /// Whatever the clock does, no proof passes twice.
    #[test]
    fn no_proof_passes_twice_by_any_clock(
        clocks in prop::collection::vec((-400_i64..400, 0_usize..8), 1..120),
        limit in 1_usize..8,
    ) {
        let (token, verified) = dpop_bound();
        let start = START.wall.0;
        let made: Vec<_> = (0..8).map(|jti| (jti, start + 40 * jti as i64)).collect();
        let onces = onces(&token, &verified, &made);
        let cache = ReplayCache::new(limit);
        let mut passed = [0; 8];
        for (clock, proof) in clocks {
            if cache.remember(at(start + clock), &onces[proof]).is_ok() {
                passed[proof] += 1;
            }
        }
        prop_assert!(passed.iter().all(|times| *times <= 1), "{:?}", passed);
    }
}
