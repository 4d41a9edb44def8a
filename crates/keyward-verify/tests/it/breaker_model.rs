//! The breaker, driven at random and held against a model that keeps every call and works all out from them.

use std::time::Duration;

use keyward_verify::MonoTime;
use keyward_verify::introspection::{
    Breaker, BreakerSettings, BreakerState, CallOutcome, Failure, Permission, Ticket, Transition,
};
use proptest::prelude::*;

use crate::breaker::{ANSWERED, FAILED, asked_to_wait, millis};
use crate::support::*;

/// A call as the model remembers it, for ever.
#[derive(Debug)]
struct Call {
    asked: MonoTime,
    /// The change of the state that it came after.
    change: usize,
    is_probe: bool,
    ended: Option<End>,
}

#[derive(Debug)]
struct End {
    at: MonoTime,
    outcome: CallOutcome,
    /// Whether its state, and in it no later probe, was still on.
    counts: bool,
}

/// What has to hold, worked out anew from all that ever happened.
struct Model {
    settings: BreakerSettings,
    now: MonoTime,
    calls: Vec<Call>,
    changes: Vec<(MonoTime, BreakerState)>,
    /// Between which times the call that tries is due; jitter says which, and the breaker when it comes to it.
    due: (MonoTime, MonoTime),
}

impl Model {
    fn state(&self) -> BreakerState {
        self.changes.last().expect("it began").1
    }

    fn ended(&self) -> impl Iterator<Item = (&Call, &End)> {
        self.calls.iter().filter_map(|call| Some((call, call.ended.as_ref()?)))
    }

    fn last_probe(&self) -> Option<usize> {
        self.calls.iter().rposition(|call| call.is_probe)
    }

    /// Until when the endpoint asked for no call.
    fn quiet_until(&self) -> MonoTime {
        let waits = self.ended().filter_map(|(_, end)| match end.outcome {
            CallOutcome::Failed { retry_after } => {
                Some(end.at.saturating_add(retry_after?.min(self.settings.longest_wait)))
            }
            _ => None,
        });
        waits.max().unwrap_or(MonoTime(0))
    }

    /// How often, since it was closed, a call tried and failed.
    fn failed_probes(&self) -> u32 {
        let closed = self.changes.iter().rposition(|(_, state)| *state == BreakerState::Closed);
        let since = closed.expect("it began so");
        let failed = |(call, end): &(&Call, &End)| {
            call.is_probe && call.change > since && end.counts && is_failure(end.outcome)
        };
        self.ended().filter(failed).count() as u32
    }

    /// The wait that is due now, before jitter.
    fn wait(&self) -> Duration {
        let mut wait = self.settings.probe_after;
        for _ in 0..self.failed_probes() {
            wait = wait.saturating_mul(2);
        }
        wait.min(self.settings.probe_limit)
    }

    /// How many calls of this closed state ended within the window, and how many of them failed.
    fn window(&self, is_recent: impl Fn(MonoTime) -> bool) -> (u64, u64) {
        let change = self.changes.len() - 1;
        let recent = self.ended().filter(|(call, end)| {
            call.change == change && end.outcome != CallOutcome::NotMade && is_recent(end.at)
        });
        recent.fold((0, 0), |(calls, failed), (_, end)| {
            (calls + 1, failed + u64::from(is_failure(end.outcome)))
        })
    }

    fn is_failing(&self) -> bool {
        let part = |at: MonoTime| u128::from(at.0) / (self.settings.window.as_nanos() / 10).max(1);
        let (calls, failed) = self.window(|at| part(at) + 10 > part(self.now));
        let BreakerSettings { failure_percent, least_calls, .. } = self.settings;
        calls >= u64::from(least_calls) && failed * 100 >= calls * u64::from(failure_percent)
    }

    /// What the end of a call has to change.
    fn end(&mut self, call: usize, outcome: CallOutcome) -> Option<BreakerState> {
        let Call { change, is_probe, .. } = self.calls[call];
        let counts = change == self.changes.len() - 1 && (!is_probe || self.last_probe() == Some(call));
        self.calls[call].ended = Some(End { at: self.now, outcome, counts });
        match (self.state(), outcome) {
            _ if !counts => None,
            (BreakerState::Closed, _) => {
                (is_failure(outcome) && self.is_failing()).then_some(BreakerState::Open)
            }
            (_, CallOutcome::Answered) => Some(BreakerState::Closed),
            _ => Some(BreakerState::Open),
        }
    }
}

fn is_failure(outcome: CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Failed { .. })
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Advance(Duration),
    /// To when a call may be made again, and so many nanoseconds more.
    AdvanceToRetry(i64),
    Ask,
    /// One of the calls under way ends.
    End(usize, CallOutcome),
    /// One of them never comes back.
    Lose(usize),
    /// Calls one after the other, at an interval, of which so many of eight fail.
    Traffic(usize, Duration, u64),
}

fn outcomes() -> impl Strategy<Value = CallOutcome> {
    let wait = prop_oneof![
        1 => Just(Duration::ZERO),
        4 => (1..20_000_u64).prop_map(millis),
        2 => (20..400_u64).prop_map(seconds),
        1 => Just(Duration::MAX),
    ];
    prop_oneof![
        4 => Just(ANSWERED),
        5 => Just(FAILED),
        1 => wait.prop_map(asked_to_wait),
        2 => Just(CallOutcome::NotMade),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let advance = prop_oneof![
        2 => Just(Duration::ZERO),
        4 => (1..1_500_u64).prop_map(millis),
        3 => (1_500..12_000_u64).prop_map(millis),
        2 => (12..90_u64).prop_map(seconds),
        1 => (90..100_000_000_u64).prop_map(seconds),
    ];
    let interval = prop_oneof![2 => Just(Duration::ZERO), 3 => (1..700_u64).prop_map(millis)];
    prop_oneof![
        4 => advance.prop_map(Event::Advance),
        6 => (-1..2_i64).prop_map(Event::AdvanceToRetry),
        8 => Just(Event::Ask),
        8 => (any::<usize>(), outcomes()).prop_map(|(call, outcome)| Event::End(call, outcome)),
        1 => any::<usize>().prop_map(Event::Lose),
        5 => (1..45_usize, interval, 0..=8_u64).prop_map(|(n, gap, eighths)| Event::Traffic(n, gap, eighths)),
    ]
}

fn settings() -> impl Strategy<Value = BreakerSettings> {
    let default = BreakerSettings::default;
    prop_oneof![
        6 => Just(default()),
        1 => Just(BreakerSettings { least_calls: 1, failure_percent: 100, ..default() }),
        1 => Just(BreakerSettings { least_calls: 0, failure_percent: 0, window: Duration::ZERO, ..default() }),
        1 => Just(BreakerSettings { least_calls: 3, window: millis(333), probe_patience: seconds(1), ..default() }),
        1 => Just(BreakerSettings { probe_after: seconds(90), longest_wait: seconds(4), ..default() }),
        1 => Just(BreakerSettings { least_calls: 5, probe_after: Duration::ZERO, ..default() }),
        1 => Just(BreakerSettings { least_calls: 5, probe_limit: Duration::MAX, ..default() }),
    ]
}

struct Run {
    breaker: Breaker,
    model: Model,
    /// Of the calls under way: their places in the model's memory, and their tickets.
    under_way: Vec<(usize, Ticket)>,
    random: u64,
}

impl Run {
    fn new(settings: BreakerSettings, seed: u64) -> Self {
        let model = Model {
            settings: settings.clone(),
            now: START.mono,
            calls: Vec::new(),
            changes: vec![(START.mono, BreakerState::Closed)],
            due: (START.mono, START.mono),
        };
        Self { breaker: Breaker::new(settings, seed), model, under_way: Vec::new(), random: seed }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Advance(duration) => self.model.now = self.model.now.saturating_add(duration),
            Event::AdvanceToRetry(nanos) => {
                let retry_in = self.breaker.retry_in(self.model.now).unwrap_or_default();
                let then = self.model.now.saturating_add(retry_in).0.saturating_add_signed(nanos);
                self.model.now = self.model.now.max(MonoTime(then));
            }
            Event::Ask => {
                self.ask();
            }
            Event::End(which, outcome) => {
                if let Some(which) = which.checked_rem(self.under_way.len()) {
                    self.end(which, outcome);
                }
            }
            Event::Lose(which) => {
                if let Some(which) = which.checked_rem(self.under_way.len()) {
                    drop(self.under_way.swap_remove(which));
                }
            }
            Event::Traffic(count, interval, eighths) => {
                for _ in 0..count {
                    self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let outcome = if self.random >> 61 < eighths { FAILED } else { ANSWERED };
                    if self.ask() {
                        self.end(self.under_way.len() - 1, outcome);
                    }
                    self.model.now = self.model.now.saturating_add(interval);
                }
            }
        }
    }

    /// Asks, and returns whether a call was permitted.
    fn ask(&mut self) -> bool {
        let Model { now, due, .. } = self.model;
        let told = (self.breaker.refusal(now), self.breaker.retry_in(now));
        let before = self.model.state();
        let (permission, transition) = self.breaker.ask(now);

        let quiet_until = self.model.quiet_until();
        // From when, and until when at the latest, the state allows no call.
        let held_until = match before {
            BreakerState::Closed => (now, now),
            BreakerState::Open => due,
            BreakerState::HalfOpen => {
                let probe = &self.model.calls[self.model.last_probe().expect("one tries")];
                let lost = probe.asked.saturating_add(self.model.settings.probe_patience);
                (lost, lost)
            }
        };
        match permission {
            Permission::Refused { failure, retry_in } => {
                assert_eq!(transition, None);
                assert_eq!(told, (Some(failure), Some(retry_in)));
                let expected = if quiet_until > now { Failure::AskedToWait } else { Failure::CircuitOpen };
                assert_eq!(failure, expected);
                let until = now.saturating_add(retry_in);
                assert!(until > now, "refused for no time");
                assert!(until >= quiet_until.max(held_until.0) && until <= quiet_until.max(held_until.1));
                if before == BreakerState::Open && until > quiet_until {
                    self.model.due = (until, until);
                }
                false
            }
            Permission::Call(ticket) => {
                assert_eq!(told, (None, None));
                assert!(now >= quiet_until, "called while asked to wait");
                assert!(now >= held_until.0, "called too early while {}", before.label());
                self.called(before, transition, ticket);
                true
            }
        }
    }

    fn called(&mut self, before: BreakerState, transition: Option<Transition>, ticket: Ticket) {
        let Model { now, changes, calls, .. } = &mut self.model;
        let half_opened = Transition { from: before, to: BreakerState::HalfOpen, retry_in: None };
        assert_eq!(transition, (before == BreakerState::Open).then_some(half_opened));
        if before == BreakerState::Open {
            changes.push((*now, BreakerState::HalfOpen));
        }
        let is_probe = before != BreakerState::Closed;
        self.under_way.push((calls.len(), ticket));
        calls.push(Call { asked: *now, change: changes.len() - 1, is_probe, ended: None });
        let patience = self.model.settings.probe_patience;
        let trying = self.model.calls.iter().filter(|call| {
            let is_lost = self.model.now >= call.asked.saturating_add(patience);
            call.is_probe && call.ended.is_none() && call.change == self.model.changes.len() - 1 && !is_lost
        });
        assert_eq!(trying.count(), usize::from(is_probe), "one call tries");
        assert_eq!(self.breaker.state(), self.model.state());
    }

    fn end(&mut self, which: usize, outcome: CallOutcome) {
        let (call, ticket) = self.under_way.swap_remove(which);
        let now = self.model.now;
        let from = self.model.state();
        let transition = self.breaker.finished(now, ticket, outcome);
        let expected = self.model.end(call, outcome);
        assert_eq!(
            transition.map(|transition| (transition.from, transition.to)),
            expected.map(|to| (from, to))
        );
        if let Some(Transition { to, retry_in, .. }) = transition {
            match (to, outcome) {
                (BreakerState::Open, CallOutcome::NotMade) => self.opened(retry_in, (now, now)),
                (BreakerState::Open, _) => {
                    let wait = self.model.wait().min(Duration::from_nanos(u64::MAX));
                    let [least, most] =
                        [wait - wait / 10, wait + wait / 10].map(|wait| now.saturating_add(wait));
                    self.opened(retry_in, (least, most));
                }
                _ => assert_eq!(retry_in, None),
            }
            if from == BreakerState::Closed {
                let window = self.model.settings.window;
                let (calls, failed) = self.model.window(|at| {
                    let ago = now.saturating_since(at);
                    ago < window || ago.is_zero()
                });
                assert!(calls >= u64::from(self.model.settings.least_calls), "opened after {calls} calls");
                assert!(failed > 0);
            }
            self.model.changes.push((now, to));
        }
        assert_eq!(self.breaker.state(), self.model.state());
    }

    /// Learns when a call tries, as far as what the endpoint asked for does not hide it.
    fn opened(&mut self, retry_in: Option<Duration>, due: (MonoTime, MonoTime)) {
        let until = self.model.now.saturating_add(retry_in.expect("it says for how long"));
        let quiet_until = self.model.quiet_until();
        assert!(until >= quiet_until.max(due.0) && until <= quiet_until.max(due.1).max(self.model.now));
        self.model.due = if until > quiet_until { (until, until) } else { (due.0, due.1.min(until)) };
    }

    /// Whoever asks every second, and is answered, finds it closed in time.
    fn recovers(mut self) {
        let BreakerSettings { probe_after, probe_limit, probe_patience, .. } = self.model.settings;
        if probe_limit == Duration::MAX {
            return;
        }
        assert!(probe_after.min(probe_limit) <= seconds(60) && probe_patience <= seconds(60));
        let quiet = self.model.quiet_until().saturating_since(self.model.now);
        for _ in 0..=quiet.max(seconds(66)).as_secs() + 1 {
            if self.ask() {
                self.end(self.under_way.len() - 1, ANSWERED);
            }
            self.model.now = self.model.now.saturating_add(SECOND);
        }
        assert_eq!(self.breaker.state(), BreakerState::Closed);
        assert!(self.ask(), "and makes calls");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 768, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_breaks_a_promise(
        settings in settings(),
        seed in any::<u64>(),
        events in prop::collection::vec(events(), 1..100),
    ) {
        let mut run = Run::new(settings, seed);
        for event in events {
            run.step(event);
        }
        run.recovers();
    }
}
