//! The breaker, rule by rule. All of them at once are in `breaker_model`.

use std::time::Duration;

use keyward_verify::MonoTime;
use keyward_verify::introspection::{
    Breaker, BreakerSettings, BreakerState, CallOutcome, Failure, Permission, Ticket, Transition,
};

use crate::support::*;

pub(crate) const FAILED: CallOutcome = CallOutcome::Failed { retry_after: None };
pub(crate) const ANSWERED: CallOutcome = CallOutcome::Answered;

pub(crate) fn asked_to_wait(wait: Duration) -> CallOutcome {
    CallOutcome::Failed { retry_after: Some(wait) }
}

fn at(after: Duration) -> MonoTime {
    START.mono.saturating_add(after)
}

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn breaker() -> Breaker {
    Breaker::new(BreakerSettings::default(), 7)
}

/// The ticket of a call that has to be permitted.
fn permitted(breaker: &mut Breaker, now: MonoTime) -> Ticket {
    match breaker.ask(now).0 {
        Permission::Call(ticket) => ticket,
        Permission::Refused { failure, retry_in } => panic!("refused, {failure}, for {retry_in:?}"),
    }
}

/// Why, and for how long, a call is refused that has to be.
fn refused(breaker: &mut Breaker, now: MonoTime) -> (Failure, Duration) {
    let (before, told) = (breaker.state(), (breaker.refusal(now), breaker.retry_in(now)));
    let (permission, transition) = breaker.ask(now);
    let Permission::Refused { failure, retry_in } = permission else { panic!("a call was permitted") };
    assert_eq!((transition, breaker.state()), (None, before), "a refusal changes nothing");
    assert_eq!(told, (Some(failure), Some(retry_in)), "what is told is what is done");
    (failure, retry_in)
}

/// Makes calls, one after the other, and returns what the last one changed.
fn calls(breaker: &mut Breaker, now: MonoTime, count: usize, outcome: CallOutcome) -> Option<Transition> {
    let mut last = None;
    for _ in 0..count {
        assert_eq!(last, None, "it opened too early");
        let ticket = permitted(breaker, now);
        last = breaker.finished(now, ticket, outcome);
    }
    last
}

/// Opens it by failures alone, and returns when a call tries.
fn open(breaker: &mut Breaker, now: MonoTime) -> MonoTime {
    let opened = calls(breaker, now, 20, FAILED).expect("it opens");
    assert_eq!((opened.from, opened.to), (BreakerState::Closed, BreakerState::Open));
    now.saturating_add(opened.retry_in.expect("it says for how long"))
}

/// Lets a call try, and returns its ticket.
fn probe(breaker: &mut Breaker, now: MonoTime) -> Ticket {
    let (permission, transition) = breaker.ask(now);
    let half_opened = Transition { from: BreakerState::Open, to: BreakerState::HalfOpen, retry_in: None };
    assert_eq!(transition, Some(half_opened));
    let Permission::Call(ticket) = permission else { panic!("no call tries") };
    ticket
}

fn is_about(wait: Duration, due: Duration) -> bool {
    wait >= due * 9 / 10 && wait <= due * 11 / 10
}

#[test]
fn labels_are_those_of_the_reference() {
    let labels = BreakerState::ALL.map(BreakerState::label);
    assert_eq!(labels, ["closed", "half_open", "open"]);
}

#[test]
fn it_opens_at_half_of_twenty_calls() {
    let mut breaker = breaker();
    assert_eq!(calls(&mut breaker, START.mono, 10, ANSWERED), None);
    assert_eq!(calls(&mut breaker, START.mono, 9, FAILED), None);
    assert_eq!(breaker.state(), BreakerState::Closed, "nineteen are too few");
    let opened = calls(&mut breaker, START.mono, 1, FAILED).expect("ten of twenty failed");
    let retry_in = opened.retry_in.expect("it says for how long");
    assert!(is_about(retry_in, seconds(5)), "{retry_in:?}");
    assert_eq!(refused(&mut breaker, START.mono), (Failure::CircuitOpen, retry_in));
}

#[test]
fn fewer_than_half_do_not_open_it() {
    let mut breaker = breaker();
    for round in 0..500 {
        let now = at(millis(round * 20));
        assert_eq!(calls(&mut breaker, now, 51, ANSWERED), None);
        assert_eq!(calls(&mut breaker, now, 49, FAILED), None);
    }
}

#[test]
fn nineteen_failures_do_not_open_it_and_a_call_that_is_answered_never_does() {
    let mut breaker = breaker();
    assert_eq!(calls(&mut breaker, START.mono, 19, FAILED), None);
    assert_eq!(calls(&mut breaker, START.mono, 1, ANSWERED), None);
    assert!(calls(&mut breaker, START.mono, 1, FAILED).is_some(), "twenty of twenty-one failed");
}

#[test]
fn what_is_older_than_the_window_counts_no_more() {
    for (gap, opens) in [(millis(8_999), true), (seconds(10), false), (seconds(1_000_000), false)] {
        let mut breaker = breaker();
        assert_eq!(calls(&mut breaker, START.mono, 19, FAILED), None);
        assert_eq!(calls(&mut breaker, at(gap), 1, FAILED).is_some(), opens, "after {gap:?}");
    }
    // Two a second never come to be twenty in ten seconds, plus the one that came just now.
    let mut breaker = breaker();
    for call in 0..1_000 {
        assert_eq!(calls(&mut breaker, at(millis(530 * call)), 1, FAILED), None, "{call}");
    }
}

#[test]
fn a_call_counts_when_it_ends() {
    let mut breaker = breaker();
    let slow: Vec<_> = (0..20).map(|_| permitted(&mut breaker, START.mono)).collect();
    let end = at(seconds(60));
    let ends = slow.into_iter().map(|ticket| breaker.finished(end, ticket, FAILED)).collect::<Vec<_>>();
    assert!(ends[19].is_some() && ends[..19].iter().all(Option::is_none));
}

#[test]
fn one_call_tries_alone_and_closes_it() {
    let mut breaker = breaker();
    let due = open(&mut breaker, START.mono);
    let before = MonoTime(due.0 - 1);
    assert_eq!(refused(&mut breaker, before), (Failure::CircuitOpen, Duration::from_nanos(1)));
    assert_eq!(breaker.retry_in(due), None);
    assert_eq!(breaker.state(), BreakerState::Open, "until somebody asks");
    let ticket = probe(&mut breaker, due);
    assert_eq!(refused(&mut breaker, due), (Failure::CircuitOpen, seconds(10)), "others wait for it");
    let closed = breaker.finished(due, ticket, ANSWERED);
    let expected = Transition { from: BreakerState::HalfOpen, to: BreakerState::Closed, retry_in: None };
    assert_eq!(closed, Some(expected));
    assert_eq!(calls(&mut breaker, due, 19, FAILED), None, "it counts anew");
}

#[test]
fn each_wait_is_twice_the_last_up_to_a_minute_and_short_again_after_it_closed() {
    let mut breaker = breaker();
    let mut now = START.mono;
    for _ in 0..2 {
        let mut due = open(&mut breaker, now);
        assert!(is_about(due.saturating_since(now), seconds(5)));
        for wait in [10, 20, 40, 60, 60, 60] {
            now = due;
            let ticket = probe(&mut breaker, now);
            let opened = breaker.finished(now, ticket, FAILED).expect("it stays open");
            assert_eq!((opened.from, opened.to), (BreakerState::HalfOpen, BreakerState::Open));
            let retry_in = opened.retry_in.expect("it says for how long");
            assert!(is_about(retry_in, seconds(wait)), "{retry_in:?} in place of {wait} s");
            assert_eq!(refused(&mut breaker, now), (Failure::CircuitOpen, retry_in));
            due = now.saturating_add(retry_in);
        }
        now = due;
        let ticket = probe(&mut breaker, now);
        assert!(breaker.finished(now, ticket, ANSWERED).is_some());
    }
}

#[test]
fn nodes_do_not_try_in_step() {
    let due = |seed| open(&mut Breaker::new(BreakerSettings::default(), seed), START.mono);
    let mut dues: Vec<_> = (0..100).map(due).collect();
    dues.sort();
    dues.dedup();
    assert_eq!(dues.len(), 100);
    assert!(dues[99].saturating_since(dues[0]) > millis(800), "over most of a second");
    assert_eq!(due(3), due(3), "and each seed alike");
}

#[test]
fn a_probe_that_is_lost_wedges_nothing() {
    let mut breaker = breaker();
    let due = open(&mut breaker, START.mono);
    let lost = probe(&mut breaker, due);
    assert_eq!(refused(&mut breaker, due.saturating_add(millis(9_999))).1, millis(1));
    let now = due.saturating_add(seconds(10));
    let (permission, transition) = breaker.ask(now);
    let Permission::Call(second) = permission else { panic!("nobody tries") };
    assert_eq!((transition, breaker.state()), (None, BreakerState::HalfOpen));
    assert_eq!(breaker.finished(now, lost, ANSWERED), None, "it came too late to count");
    refused(&mut breaker, now);
    let opened = breaker.finished(now, second, FAILED).expect("it stays open");
    assert!(is_about(opened.retry_in.expect("for how long"), seconds(10)), "the lost one was no failure");
}

#[test]
fn a_probe_that_was_not_made_leaves_the_next_one_free() {
    let mut breaker = breaker();
    let due = open(&mut breaker, START.mono);
    for _ in 0..3 {
        let ticket = probe(&mut breaker, due);
        let opened = breaker.finished(due, ticket, CallOutcome::NotMade).expect("it is open again");
        assert_eq!((opened.to, opened.retry_in), (BreakerState::Open, Some(Duration::ZERO)));
    }
    let ticket = probe(&mut breaker, due);
    let opened = breaker.finished(due, ticket, FAILED).expect("it stays open");
    assert!(is_about(opened.retry_in.expect("for how long"), seconds(10)), "only the last one failed");
}

#[test]
fn calls_that_were_not_made_count_neither_way() {
    let mut breaker = breaker();
    assert_eq!(calls(&mut breaker, START.mono, 19, FAILED), None);
    assert_eq!(calls(&mut breaker, START.mono, 1_000, CallOutcome::NotMade), None);
    assert!(calls(&mut breaker, START.mono, 1, FAILED).is_some());
}

#[test]
fn calls_from_before_count_for_nothing_after() {
    let mut breaker = breaker();
    let mut early: Vec<_> = (0..60).map(|_| permitted(&mut breaker, START.mono)).collect();
    let mut end = |breaker: &mut Breaker, now, outcome| {
        for ticket in early.split_off(early.len() - 20) {
            assert_eq!(breaker.finished(now, ticket, outcome), None);
        }
    };
    let due = open(&mut breaker, START.mono);
    end(&mut breaker, START.mono, ANSWERED);
    assert_eq!(breaker.state(), BreakerState::Open);
    let ticket = probe(&mut breaker, due);
    end(&mut breaker, due, ANSWERED);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    assert!(breaker.finished(due, ticket, ANSWERED).is_some());
    end(&mut breaker, due, FAILED);
    assert_eq!(calls(&mut breaker, due, 19, FAILED), None, "twenty early failures are none of these");
}

#[test]
fn retry_after_is_obeyed_in_every_state() {
    // Closed: it stays so, and the call was a failure all the same.
    let mut breaker = breaker();
    assert_eq!(calls(&mut breaker, START.mono, 1, asked_to_wait(seconds(7))), None);
    assert_eq!(refused(&mut breaker, START.mono), (Failure::AskedToWait, seconds(7)));
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(calls(&mut breaker, at(seconds(7)), 18, FAILED), None);
    let late = permitted(&mut breaker, at(seconds(7)));
    assert!(calls(&mut breaker, at(seconds(7)), 1, FAILED).is_some(), "the twentieth");

    // Open, by a call that began before: no call tries until both are over, and the later one is told.
    let now = at(seconds(8));
    assert_eq!(breaker.finished(now, late, asked_to_wait(seconds(40))), None);
    assert_eq!(refused(&mut breaker, now), (Failure::AskedToWait, seconds(40)));
    let due = now.saturating_add(seconds(40));
    refused(&mut breaker, MonoTime(due.0 - 1));

    // Half-open, by the call that tries.
    let ticket = probe(&mut breaker, due);
    let opened = breaker.finished(due, ticket, asked_to_wait(seconds(90))).expect("it stays open");
    assert_eq!(opened.retry_in, Some(seconds(90)), "the time until a call tries, whatever it is for");
    let due = due.saturating_add(seconds(90));
    refused(&mut breaker, MonoTime(due.0 - 1));
    let ticket = probe(&mut breaker, due);
    assert!(breaker.finished(due, ticket, ANSWERED).is_some());
    permitted_and_answered(&mut breaker, due);
}

fn permitted_and_answered(breaker: &mut Breaker, now: MonoTime) {
    let ticket = permitted(breaker, now);
    assert_eq!(breaker.finished(now, ticket, ANSWERED), None);
}

#[test]
fn a_short_retry_after_shortens_nothing() {
    let mut breaker = breaker();
    assert_eq!(calls(&mut breaker, START.mono, 19, FAILED), None);
    let [first, second] = [(); 2].map(|()| permitted(&mut breaker, START.mono));
    let opened = breaker.finished(START.mono, first, asked_to_wait(seconds(1))).expect("it opens");
    let retry_in = opened.retry_in.expect("for how long");
    assert!(is_about(retry_in, seconds(5)), "{retry_in:?}");
    assert_eq!(refused(&mut breaker, START.mono), (Failure::AskedToWait, retry_in), "the later of both");
    assert_eq!(refused(&mut breaker, at(seconds(1))).0, Failure::CircuitOpen);
    assert_eq!(breaker.finished(START.mono, second, asked_to_wait(Duration::ZERO)), None);
    assert_eq!(refused(&mut breaker, START.mono).1, retry_in);
}

#[test]
fn a_long_retry_after_is_obeyed_for_five_minutes() {
    for wait in [seconds(300), seconds(86_400), Duration::MAX] {
        let mut breaker = breaker();
        assert_eq!(calls(&mut breaker, START.mono, 1, asked_to_wait(wait)), None);
        assert_eq!(refused(&mut breaker, START.mono), (Failure::AskedToWait, seconds(300)));
        permitted_and_answered(&mut breaker, at(seconds(300)));
    }
}

#[test]
fn a_clock_that_stands_still_leaps_or_is_read_late_does_no_harm() {
    // Still: as many calls as there are, and no second probe.
    let mut breaker = breaker();
    assert_eq!(calls(&mut breaker, START.mono, 100_000, ANSWERED), None);
    assert_eq!(calls(&mut breaker, START.mono, 99_999, FAILED), None);
    assert!(calls(&mut breaker, START.mono, 1, FAILED).is_some());
    for _ in 0..1_000 {
        refused(&mut breaker, START.mono);
    }
    // To the end of time, where no wait can end any more: it does not wait.
    let ticket = probe(&mut breaker, MonoTime::NEVER);
    assert!(breaker.finished(MonoTime::NEVER, ticket, asked_to_wait(Duration::MAX)).is_some());
    let ticket = probe(&mut breaker, MonoTime::NEVER);
    assert!(breaker.finished(MonoTime::NEVER, ticket, ANSWERED).is_some());

    // Read long before the others: what they counted is not lost.
    let mut breaker = self::breaker();
    assert_eq!(calls(&mut breaker, at(seconds(20)), 18, FAILED), None);
    for early in [seconds(19), seconds(10)] {
        let ticket = permitted(&mut breaker, at(seconds(20)));
        let transition = breaker.finished(at(early), ticket, FAILED);
        assert_eq!(transition.is_some(), early == seconds(10));
    }
}

#[test]
fn settings_without_measure_do_no_harm() {
    let [none, all] = [Duration::ZERO, Duration::MAX];
    for (failure_percent, least_calls, time) in [(0, 0, none), (u32::MAX, u32::MAX, all), (0, 0, all)] {
        let settings = BreakerSettings {
            failure_percent,
            least_calls,
            window: time,
            probe_after: time,
            probe_limit: time,
            probe_patience: time,
            longest_wait: time,
        };
        let mut breaker = Breaker::new(settings, 1);
        for now in [MonoTime(0), START.mono, MonoTime::NEVER] {
            for outcome in [ANSWERED, CallOutcome::NotMade, FAILED, asked_to_wait(Duration::MAX)] {
                if let Permission::Call(ticket) = breaker.ask(now).0 {
                    let opened = breaker.finished(now, ticket, outcome);
                    assert!(opened.is_none() || least_calls == 0);
                }
            }
        }
        permitted_at_last(&mut breaker);
    }
}

fn permitted_at_last(breaker: &mut Breaker) {
    let ticket = permitted(breaker, MonoTime::NEVER);
    breaker.finished(MonoTime::NEVER, ticket, ANSWERED);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn asking_and_finishing_allocate_nothing() {
    let mut breaker = breaker();
    let counted = allocation_counter::measure(|| {
        for call in 0..100_u64 {
            let now = at(millis(call * 300));
            let ticket = permitted(&mut breaker, now);
            let outcome = if call % 4 == 0 { FAILED } else { ANSWERED };
            assert_eq!(breaker.finished(now, ticket, outcome), None);
        }
        let due = open(&mut breaker, at(seconds(100)));
        refused(&mut breaker, at(seconds(100)));
        let ticket = probe(&mut breaker, due);
        assert!(breaker.finished(due, ticket, ANSWERED).is_some());
    });
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
}
