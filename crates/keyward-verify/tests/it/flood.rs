//! Ten thousand junk tokens a second while the provider rotates its keys: the new one is found all the same.

use std::time::Duration;

use keyward_verify::key_set::{Answer, KeySetMachine, KeySetState, Step};
use keyward_verify::{Issuer, Now, Reason, WantedKey};
use serde_json::{Value, json};

use crate::support::*;

const JUNK_A_SECOND: u64 = 10_000;

/// What the junk names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Junk {
    /// Another key each time.
    Random,
    /// The key that the provider is going to publish next: its name can be guessed.
    NextKid,
    Both,
}

fn published(number: usize) -> Value {
    jwk(&KEYS[number % KEYS.len()], Some(&format!("k{number}")))
}

fn token(number: usize, now: Now) -> String {
    let claims = json!({ "iss": ISSUER, "iat": now.wall.0, "exp": now.wall.0 + 1000 });
    sign_as(&KEYS[number % KEYS.len()], Some(&format!("k{number}")), &claims)
}

/// What a token asks for that names key `number` before it is published.
fn want_of(number: usize) -> WantedKey {
    wanted(judge(START, START.mono, &issuer_of(&machine(START)), &token(number, START)))
}

/// The wall clock runs along, so that the time of a step is the time of both.
fn at(millis: u64) -> Now {
    Now { wall: later(START, seconds(millis / 1000)).wall, mono: later(START, ms(millis)).mono }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

struct Flood {
    junk: Junk,
    machine: KeySetMachine,
    issuer: Issuer,
    /// When the fetch under way ends, and how many keys were published when it began.
    fetch: Option<(u64, usize)>,
    fetches: u64,
    junk_sent: u64,
}

impl Flood {
    fn new(junk: Junk) -> Self {
        let machine = machine_with(START, &[published(0)]);
        let issuer = issuer_of(&machine);
        Self { junk, machine, issuer, fetch: None, fetches: 0, junk_sent: 0 }
    }

    /// A millisecond of junk.
    fn junk(&mut self, now: Now, next_kid: WantedKey) {
        for _ in 0..JUNK_A_SECOND / 1000 {
            self.junk_sent += 1;
            let random = WantedKey { kid_hash: self.junk_sent, ..next_kid };
            let wanted = match self.junk {
                Junk::Random => random,
                Junk::NextKid => next_kid,
                Junk::Both if self.junk_sent.is_multiple_of(2) => random,
                Junk::Both => next_kid,
            };
            self.machine.want(now, wanted);
        }
    }

    /// Whoever drives the machine fetches when it says so; the answer takes `latency` and is as old.
    fn drive(&mut self, millis: u64, latency: u64, key_count: usize) {
        if let Some((_, count)) = self.fetch.take_if(|(ends, _)| *ends <= millis) {
            let keys: Vec<_> = (count.saturating_sub(2)..count).map(published).collect();
            self.machine.fetched(at(millis), Ok(answer(&keys)));
        }
        if self.machine.poll(at(millis)) == Step::Fetch {
            self.fetches += 1;
            self.fetch = Some((millis + latency, key_count));
        }
    }
}

#[test]
fn a_rotation_amid_junk_is_picked_up_within_two_seconds() {
    const ROTATIONS: u64 = 12;
    // Each at another moment of the second.
    const EVERY: u64 = 3_137;
    for junk in [Junk::Random, Junk::NextKid, Junk::Both] {
        for latency in [1, 250, 900] {
            let mut flood = Flood::new(junk);
            let (mut key_count, mut rotated, mut waits) = (1, 0, false);
            let mut next_kid = want_of(key_count);
            for millis in 1..=ROTATIONS * EVERY {
                let now = at(millis);
                if millis % EVERY == 0 {
                    assert!(!waits, "{junk:?}: key {key_count} was not found");
                    (key_count, rotated, waits) = (key_count + 1, millis, true);
                    next_kid = want_of(key_count);
                }
                flood.junk(now, next_kid);
                if waits && millis % 10 == 0 {
                    match judge(now, now.mono, &flood.issuer, &token(key_count - 1, now)) {
                        keyward_verify::Decision::NeedsKey(wanted) => {
                            flood.machine.want(now, wanted);
                        }
                        decision => {
                            assert_eq!(outcome(&decision), Outcome::Accept);
                            let took = millis - rotated;
                            assert!(took <= 2_000, "{junk:?}, {latency} ms a fetch: found after {took} ms");
                            waits = false;
                        }
                    }
                }
                flood.drive(millis, latency, key_count);
            }
            let allowed = 4 + ROTATIONS * EVERY / 1000 + 1;
            assert!(flood.fetches <= allowed, "{junk:?}: {} fetches, not {allowed}", flood.fetches);
        }
    }
}

/// `429` with `Retry-After`: the provider has had enough, and junk changes nothing about that. The keys that are
/// known verify meanwhile, and the first fetch after it finds the new one.
#[test]
fn a_provider_that_asks_for_patience_gets_it_whatever_the_junk() {
    let mut flood = Flood::new(Junk::Both);
    let next_kid = want_of(1);
    assert_eq!(flood.machine.want(START, next_kid), Answer::Wait);
    assert_eq!(flood.machine.poll(START), Step::Fetch);
    flood.machine.fetched(START, Err(Some(seconds(20))));
    let due = flood.machine.next_fetch().unwrap();
    assert_eq!(due, at(20_000).mono, "as long as it asked for");
    for millis in (0..20_000).step_by(10) {
        let now = at(millis);
        flood.junk(now, next_kid);
        assert_eq!(flood.machine.want(now, next_kid), Answer::Refused(Reason::KeysUnavailable));
        assert_eq!(flood.machine.next_fetch(), Some(due));
        assert_eq!(outcome_now(now, &flood.issuer, &token(0, now)), Outcome::Accept);
    }
    let now = at(20_000);
    fetch(&mut flood.machine, now, &[published(0), published(1)]);
    assert_eq!(outcome_now(now, &flood.issuer, &token(1, now)), Outcome::Accept);
    assert_eq!(flood.machine.published().state(now.mono), KeySetState::Fresh);
}
