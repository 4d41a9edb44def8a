//! `keyward drill random`.

use crate::support::*;

#[test]
fn a_seed_is_told_in_full_and_the_same_each_time() {
    let [one, again] = [(); 2].map(|()| keyward(&["drill", "random", "--seed", "3"], ""));
    assert_eq!((one.code, one.stderr.as_str()), (0, ""));
    assert_eq!(one.stdout, again.stdout);
    assert!(one.stdout.starts_with("seed 3: "), "{}", one.stdout);
    assert!(one.stdout.contains("provider: {issuer: a"), "{}", one.stdout);
    assert!(one.stdout.ends_with("requests, no promise is broken\n"), "{}", one.stdout);
    let trace = keyward(&["drill", "random", "--seed", "3", "--json"], "");
    let report = &trace.objects()[0];
    assert_eq!(report["violations"].as_array().map(Vec::len), Some(0));
    assert!(one.stdout.contains(report["trace"][0].as_str().unwrap()));
}

#[test]
fn many_seeds_are_summed_up() {
    let run = keyward(&["drill", "random", "--seed", "5", "--count", "8", "--json"], "");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let report = &run.objects()[0];
    assert_eq!((report["first_seed"].as_u64(), report["played"].as_u64()), (Some(5), Some(8)));
    assert_eq!(report["failed"].as_u64(), Some(0));
    assert!(report["requests"].as_u64() > Some(100));
    let run = keyward(&["drill", "random", "--count", "2"], "");
    assert!(run.stdout.starts_with("2 schedules with "), "{}", run.stdout);
}
