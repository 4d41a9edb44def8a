//! Random schedules against the library.

use std::collections::BTreeSet;
use std::sync::Mutex;

use keyward_drill::schedule::{run, run_each};

/// How many schedules are played, from seed 1 on.
const SEEDS: u64 = 1000;

#[test]
fn a_thousand_random_schedules_break_no_promise() {
    let jobs = std::thread::available_parallelism().map_or(2, usize::from);
    let failed = Mutex::new(Vec::new());
    let requests = Mutex::new(0);
    run_each(1..=SEEDS, jobs, |seed, ran| {
        let ran = ran.unwrap_or_else(|error| panic!("seed {seed} cannot be played: {error}"));
        *requests.lock().unwrap() += ran.seen.len();
        failed.lock().unwrap().extend(ran.violations.into_iter().next());
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|violation| violation.seed);
    let shown: Vec<String> = failed.iter().take(3).map(ToString::to_string).collect();
    assert!(
        failed.is_empty(),
        "{} of {SEEDS} seeds break a promise:\n\n{}",
        failed.len(),
        shown.join("\n\n")
    );
    assert!(*requests.lock().unwrap() > 100_000, "schedules without requests show nothing");
}

#[test]
fn a_seed_is_the_same_trace_each_time() {
    for seed in 1..=12 {
        let [one, other] = [(); 2].map(|()| run(seed).unwrap().to_string());
        assert_eq!(one, other);
    }
}

#[test]
fn schedules_hold_everything_that_may_happen() {
    let mut all = BTreeSet::new();
    for seed in 1..=60 {
        let trace = run(seed).unwrap().to_string();
        all.extend(trace.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned));
    }
    let wanted = "refuse hang hang_after_head delay drip close_midway status retry_after html truncated_json \
                  wrong_content_type oversized gzip_bomb redirect flap empty jwks_uri beside broken_point clock lag age_header \
                  publish sign_with withdraw kill start deny damage forged random names kid accept unknown_kid \
                  invalid_signature expired revoked keys_unavailable keys_stale_limit key_refresh_limited";
    let missing: Vec<&str> = wanted.split_whitespace().filter(|word| !all.contains(*word)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
