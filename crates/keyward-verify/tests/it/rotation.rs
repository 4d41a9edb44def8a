//! Keys change at the provider while tokens flow: nobody's good token is refused for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward_jose::{Algorithm, LocalSigner};
use keyward_verify::key_set::{Answer, Fetched, KeySetMachine, KeySetState, Step};
use keyward_verify::{Issuer, MonoTime, Now, Reason, UnixTime};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

fn issuer_with_leeway(machine: &KeySetMachine, leeway: Duration) -> Issuer {
    let mut issuer = issuer_of(machine);
    std::sync::Arc::make_mut(&mut issuer.policy).leeway = leeway;
    issuer
}

/// `kid` as the provider names its key number `number`, whose material comes from a pool.
fn named(number: usize) -> (&'static LocalSigner, String) {
    (&KEYS[number % KEYS.len()], format!("k{number}"))
}

fn token(number: usize, issued_at: UnixTime) -> String {
    let (key, kid) = named(number);
    let claims = json!({ "iss": ISSUER, "iat": issued_at.0, "exp": issued_at.0 + 1_000_000 });
    sign_as(key, Some(&kid), &claims)
}

fn published(number: usize) -> Value {
    let (key, kid) = named(number);
    jwk(key, Some(&kid))
}

#[test]
fn the_first_token_with_a_new_key_finds_it() {
    let mut machine = machine_with(START, &[published(0)]);
    let issuer = issuer_of(&machine);
    let now = later(START, seconds(20));
    let token = token(1, now.wall);
    let want = wanted(judge(now, now.mono, &issuer, &token));
    assert_eq!(machine.want(now, want), Answer::Wait);
    fetch(&mut machine, now, &[published(0), published(1)]);
    assert_eq!(outcome_now(now, &issuer, &token), Outcome::Accept);
}

/// The fetch under way began before the key was published. Joining it must not be the end of it.
#[test]
fn a_token_that_joined_a_fetch_that_began_too_early_asks_again_and_passes() {
    let mut machine = machine_with(START, &[published(0)]);
    let issuer = issuer_of(&machine);
    let began = Now { mono: machine.next_fetch().unwrap(), wall: START.wall.saturating_add(seconds(240)) };
    assert_eq!(machine.poll(began), Step::Fetch);
    let arrived = later(began, SECOND);
    let token = token(1, arrived.wall);
    let want = wanted(judge(arrived, arrived.mono, &issuer, &token));
    assert_eq!(machine.want(arrived, want), Answer::Wait);

    let now = later(arrived, SECOND);
    machine.fetched(now, Ok(answer(&[published(0)])));
    let want = wanted(judge(now, arrived.mono, &issuer, &token));
    assert_eq!(machine.want(now, want), Answer::Wait, "it was in no fetch that could have found it");
    fetch(&mut machine, now, &[published(0), published(1)]);
    assert_eq!(outcome(&judge(now, arrived.mono, &issuer, &token)), Outcome::Accept);
}

#[test]
fn a_kid_is_unknown_only_after_a_fetch_that_began_after_the_token_came() {
    let mut machine = machine_with(START, &[published(0)]);
    let issuer = issuer_of(&machine);
    let arrived = later(START, SECOND);
    let token = token(1, arrived.wall);
    let want = wanted(judge(arrived, arrived.mono, &issuer, &token));
    assert_eq!(machine.want(arrived, want), Answer::Wait);
    fetch(&mut machine, arrived, &[published(0)]);
    assert_eq!(outcome_now(arrived, &issuer, &token), Outcome::Reject(Reason::UnknownKid));
    let next = later(arrived, Duration::from_nanos(1));
    assert_eq!(outcome_now(next, &issuer, &token), Outcome::NeedsKey, "another one, or the same once more");
}

#[test]
fn a_kid_of_a_token_issued_long_before_the_fetch_is_unknown_at_once() {
    let machine = machine_with(START, &[published(0)]);
    let now = later(START, SECOND);
    // Issuers date `iat` back by up to five minutes, whatever the leeway is.
    for (leeway, margin) in [(0, 300), (60, 300), (600, 600)] {
        let issuer = issuer_with_leeway(&machine, seconds(leeway));
        for (ahead, expected) in [
            (margin + 2, Outcome::Reject(Reason::UnknownKid)),
            (margin + 1, Outcome::Reject(Reason::UnknownKid)),
            // `iat` in whole seconds: it may have been signed a moment after the fetch began.
            (margin, Outcome::NeedsKey),
        ] {
            let token = token(1, START.wall.saturating_sub(seconds(ahead)));
            assert_eq!(outcome_now(now, &issuer, &token), expected, "{ahead} s before, leeway {leeway} s");
        }
    }
}

/// The machine was suspended for a day: the set is past its limit, and nobody has asked for the next one yet.
#[test]
fn the_first_token_after_a_long_sleep_waits_for_the_fetch_that_is_due() {
    let mut machine = machine_with(START, &[published(0)]);
    let issuer = issuer_of(&machine);
    let now = later(START, seconds(86_400));
    let token = token(0, now.wall);
    let want = wanted(judge(now, now.mono, &issuer, &token));
    assert_eq!(machine.want(now, want), Answer::Wait, "due");
    assert_eq!(machine.poll(now), Step::Fetch);
    assert_eq!(machine.want(now, want), Answer::Wait, "under way");
    assert_eq!(want.otherwise, Reason::KeysStaleLimit, "where that takes too long");
    machine.fetched(now, Ok(answer(&[published(0)])));
    assert_eq!(outcome_now(now, &issuer, &token), Outcome::Accept);
}

/// A provider that fails past the stale limit holds nobody up, not even while it is asked again.
#[test]
fn past_the_stale_limit_nobody_waits_for_a_provider_that_fails() {
    let mut machine = machine_with(START, &[published(0)]);
    let issuer = issuer_of(&machine);
    let now = later(START, seconds(86_400));
    let token = token(0, now.wall);
    let want = wanted(judge(now, now.mono, &issuer, &token));
    assert_eq!(machine.poll(now), Step::Fetch);
    machine.fetched(now, Err(None));
    let refused = Answer::Refused(Reason::KeysStaleLimit);
    assert_eq!(machine.want(now, want), refused, "it rests");
    let again = Now { mono: machine.next_fetch().unwrap(), ..now };
    assert_eq!(machine.want(again, want), refused, "due");
    assert_eq!(machine.poll(again), Step::Fetch);
    assert_eq!(machine.want(again, want), refused, "under way");
    machine.fetched(again, Ok(answer(&[published(0)])));
    assert_eq!(outcome_now(again, &issuer, &token), Outcome::Accept);
}

/// Such as a file of keys that was written while the last one of it was being read.
#[test]
fn a_change_that_is_told_of_during_a_fetch_is_fetched_after_it() {
    let mut machine = machine(START);
    assert_eq!(machine.poll(START), Step::Fetch);
    machine.refresh(START);
    assert!(matches!(machine.poll(START), Step::Wait(_)), "one at a time");
    machine.fetched(START, Ok(answer(&[published(0)])));
    assert_eq!(machine.poll(START), Step::Fetch);
    machine.fetched(START, Ok(answer(&[published(1)])));
    assert!(matches!(machine.poll(START), Step::Wait(_)));
    machine.refresh(later(START, SECOND));
    assert_eq!(machine.poll(later(START, SECOND)), Step::Fetch);
}

/// A copy out of a cache before the provider knows of no key that was published since it was made.
#[test]
fn a_cached_copy_of_the_set_makes_no_younger_key_unknown() {
    let now = later(START, SECOND);
    let mut machine = machine(now);
    machine.poll(now);
    let copy = Fetched { set: jwk_set(&[published(0)]), max_age: None, age: seconds(100) };
    machine.fetched(now, Ok(copy));
    let issuer = issuer_of(&machine);
    // Even a token that came before the fetch may be signed with a key that the copy does not know.
    let young = token(1, now.wall.saturating_sub(seconds(300 + 50)));
    assert_eq!(outcome_now(now, &issuer, &young), Outcome::NeedsKey);
    let old = token(1, now.wall.saturating_sub(seconds(300 + 101)));
    assert_eq!(outcome_now(now, &issuer, &old), Outcome::Reject(Reason::UnknownKid));
    // Its keys serve as long as if they came from the provider itself.
    let late = later(now, seconds(3599));
    assert_eq!(machine.published().state(late.mono), KeySetState::Stale);
}

/// A wall clock that was ahead dates the fetch ahead; put right, it would make every new token look old.
#[test]
fn a_clock_that_was_ahead_when_the_keys_were_fetched_makes_no_key_unknown() {
    let ahead = Now { wall: START.wall.saturating_add(seconds(3600)), ..START };
    let machine = machine_with(ahead, &[published(0)]);
    let now = later(START, seconds(100));
    assert_eq!(outcome_now(now, &issuer_of(&machine), &token(1, now.wall)), Outcome::NeedsKey);
}

/// The origin of the monotonic clock is the caller's choice, so a token may arrive at 0.
#[test]
fn a_snapshot_was_not_fetched_after_the_first_token_came() {
    let now = Now { mono: MonoTime(0), ..START };
    let mut machine = machine(now);
    let set = jwk_set(&[published(0)]);
    machine.restore(now, set, now.wall.saturating_sub(seconds(10))).unwrap();
    let issuer = issuer_of(&machine);
    assert_eq!(outcome_now(now, &issuer, &token(0, now.wall)), Outcome::Accept);
    assert_eq!(outcome_now(now, &issuer, &token(1, now.wall)), Outcome::NeedsKey);
}

/// One replica of the provider lags behind: the key comes, goes and comes.
#[test]
fn a_kid_that_a_fetch_found_is_not_remembered_as_absent() {
    let mut machine = machine_with(START, &[published(0)]);
    let issuer = issuer_of(&machine);
    let mut now = later(START, SECOND);
    for (kid, answered) in [(1, &[published(0), published(1)][..]), (2, &[published(0)][..])] {
        let want = wanted(judge(now, now.mono, &issuer, &token(kid, now.wall)));
        assert_eq!(machine.want(now, want), Answer::Wait);
        fetch(&mut machine, now, answered);
        now = later(now, SECOND);
    }
    let want = wanted(judge(now, now.mono, &issuer, &token(1, now.wall)));
    assert_eq!(machine.want(now, want), Answer::Wait);
    let want = wanted(judge(now, now.mono, &issuer, &token(1, now.wall)));
    assert_eq!(machine.want(now, want), Answer::Wait);
}

/// The set is replaced while a token is held against it. It takes long to go through this one, and what
/// comes after is newer than the token: the answer must be of one set, not half of each.
#[test]
fn a_key_published_while_its_token_is_checked_is_not_called_unknown() {
    let decoys: Vec<_> =
        (0..24).map(|_| jwk(&LocalSigner::generate(Algorithm::EdDsa, None).unwrap(), None)).collect();
    for round in 0..16 {
        let mut machine = machine_with(START, &decoys);
        let issuer = issuer_of(&machine);
        let due = machine.next_fetch().unwrap();
        let now = Now { mono: due, wall: START.wall.saturating_add(seconds(300)) };
        let token = token(1, now.wall);
        let (started, decided) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let checking = scope.spawn(|| {
                started.store(true, Ordering::SeqCst);
                let outcome = outcome_now(now, &issuer, &token);
                decided.store(true, Ordering::SeqCst);
                outcome
            });
            while !started.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            for _ in 0..round * 40 {
                std::hint::spin_loop();
            }
            fetch(&mut machine, now, &[published(1)]);
            let outcome = checking.join().unwrap();
            assert!(matches!(outcome, Outcome::Accept | Outcome::NeedsKey), "round {round}: {outcome:?}");
        });
        assert_eq!(outcome_now(now, &issuer, &token), Outcome::Accept);
    }
}

/// A provider that does everything right, and the world around it.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Time passes, in milliseconds.
    Advance(i64),
    /// Our wall clock is set to so many thousandths of the leeway off the provider's.
    SetClock(i64),
    /// The provider publishes a key and signs with it from now on.
    Rotate,
    /// The provider signs a token; it travels.
    Sign,
    /// All that travel arrive.
    Arrive,
    /// Whoever drives the machine looks whether a fetch is due.
    Poll,
    /// The fetch succeeds, with the keys published when it began or when it ended.
    Succeed { as_begun: bool },
    /// The fetch fails.
    Fail,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop_oneof![Just(1), 2..1_500_i64, 1_000..70_000_i64, 200_000..320_000_i64].prop_map(Event::Advance),
        1 => prop_oneof![Just(-1000), Just(1000), -1000..=1000_i64].prop_map(Event::SetClock),
        2 => Just(Event::Rotate),
        3 => Just(Event::Sign),
        3 => Just(Event::Arrive),
        4 => Just(Event::Poll),
        4 => any::<bool>().prop_map(|as_begun| Event::Succeed { as_begun }),
        1 => Just(Event::Fail),
    ]
}

struct World {
    leeway: i64,
    kids: bool,
    clock_off: i64,
    true_ms: i64,
    key_count: usize,
    /// When the fetch under way began, and how many keys were published then.
    fetch: Option<(Now, usize)>,
    travelling: Vec<String>,
    arrived: Vec<(String, Now)>,
    machine: KeySetMachine,
    issuer: Issuer,
}

impl World {
    fn new(leeway: i64, kids: bool) -> Self {
        let machine = machine(START);
        let issuer = issuer_with_leeway(&machine, seconds(leeway as u64));
        let (travelling, arrived) = (Vec::new(), Vec::new());
        Self {
            leeway,
            kids,
            clock_off: 0,
            true_ms: 0,
            key_count: 1,
            fetch: None,
            travelling,
            arrived,
            machine,
            issuer,
        }
    }

    fn now(&self) -> Now {
        let wall = UnixTime(START.wall.0 + (self.true_ms + self.clock_off).div_euclid(1000));
        Now { wall, mono: START.mono.saturating_add(Duration::from_millis(self.true_ms as u64)) }
    }

    fn signed_now(&self) -> String {
        let issued_at = START.wall.0 + self.true_ms.div_euclid(1000);
        let (key, kid) = named(self.key_count - 1);
        let claims = json!({ "iss": ISSUER, "iat": issued_at, "exp": issued_at + 1_000_000 });
        sign_as(key, self.kids.then_some(kid.as_str()), &claims)
    }

    fn keys(&self, count: usize) -> Vec<Value> {
        let first = if self.kids { 0 } else { count.saturating_sub(KEYS.len()) };
        (first..count)
            .map(|number| {
                let (key, kid) = named(number);
                jwk(key, self.kids.then_some(kid.as_str()))
            })
            .collect()
    }

    fn step(&mut self, event: Event) {
        // No two things happen at one instant: the order of two that did could not be told.
        self.true_ms += 1;
        let now = self.now();
        match event {
            Event::Advance(ms) => self.true_ms += ms,
            Event::SetClock(thousandths) => self.clock_off = self.leeway * thousandths,
            Event::Rotate => self.key_count += 1,
            Event::Sign => self.travelling.push(self.signed_now()),
            Event::Arrive => self.arrived.extend(self.travelling.drain(..).map(|token| (token, now))),
            Event::Poll => {
                if self.machine.poll(now) == Step::Fetch {
                    self.fetch = Some((now, self.key_count));
                }
            }
            Event::Succeed { as_begun } => {
                if let Some((began, count)) = self.fetch.take() {
                    let count = if as_begun { count } else { self.key_count };
                    let keys = self.keys(count);
                    self.machine.fetched(now, Ok(answer(&keys)));
                    for (token, arrived) in &self.arrived {
                        if began.mono >= arrived.mono {
                            let outcome = outcome(&judge(now, arrived.mono, &self.issuer, token));
                            assert_eq!(outcome, Outcome::Accept, "its key was there when the fetch began");
                        }
                    }
                }
            }
            Event::Fail => {
                if self.fetch.take().is_some() {
                    self.machine.fetched(now, Err(None));
                }
            }
        }
    }

    /// Whatever happens, a good token is accepted or undecided.
    fn judge_all(&mut self) {
        let now = self.now();
        for (token, arrived) in &self.arrived {
            match judge(now, arrived.mono, &self.issuer, token) {
                keyward_verify::Decision::NeedsKey(want) => {
                    if let Answer::Refused(reason) = self.machine.want(now, want) {
                        assert!(reason.is_undecided(), "{reason}");
                    }
                }
                decision => {
                    let outcome = outcome(&decision);
                    let fine = matches!(outcome, Outcome::Accept | Outcome::Undecided(_));
                    assert!(fine, "{outcome:?} of a token that arrived at {arrived:?}, now {now:?}");
                }
            }
        }
        let keep = self.arrived.len().saturating_sub(6);
        self.arrived.drain(..keep);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// The rule of `unknown_kid`: a key that was published before it signed is never called unknown, with
    /// and without kids, however the clocks differ within the leeway, whichever fetch a token joins.
    #[test]
    fn a_token_whose_key_was_published_in_time_is_never_rejected(
        leeway in prop_oneof![Just(0), Just(1), Just(60)],
        kids in any::<bool>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        // Without kids, all material must stay apart: no more keys than the pool holds.
        let mut world = World::new(leeway, kids);
        for event in events {
            if matches!(event, Event::Rotate) && !kids && world.key_count == KEYS.len() {
                continue;
            }
            world.step(event);
            world.judge_all();
        }
    }
}
