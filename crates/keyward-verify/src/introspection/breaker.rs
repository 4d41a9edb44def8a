//! A circuit breaker: an endpoint that fails is left alone, and tried now and then.

use std::time::Duration;

use super::Failure;
use crate::MonoTime;
use crate::jitter::Jitter;

/// When no calls are made any more, and when one tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// It opens when this many of a hundred calls fail, and one at least. Default 50.
    pub failure_percent: u32,
    /// Of so many calls at least. Default 20.
    pub least_calls: u32,
    /// Calls that ended within this time count; it slides by a tenth of itself. Default 10 s.
    pub window: Duration,
    /// How long after it opened one call tries; after each one that fails, twice as long. Default 5 s.
    pub probe_after: Duration,
    /// The longest of these waits. Default 60 s.
    pub probe_limit: Duration,
    /// A trying call that has not come back after this is given up, and another one tries. Default 10 s; where calls
    /// may take longer, two can try at once.
    pub probe_patience: Duration,
    /// The longest `Retry-After` that is obeyed. Default 300 s.
    pub longest_wait: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failure_percent: 50,
            least_calls: 20,
            window: Duration::from_secs(10),
            probe_after: Duration::from_secs(5),
            probe_limit: Duration::from_secs(60),
            probe_patience: Duration::from_secs(10),
            longest_wait: Duration::from_secs(300),
        }
    }
}

/// Whether one endpoint may be called. Deadlines are spread by a tenth up and down.
///
/// It does no I/O. Whoever calls the endpoint [`ask`](Self::ask)s before each call, and hands in what came of it with
/// [`finished`](Self::finished); neither allocates. What it guarantees:
///
/// - It opens with a call that fails, where enough of the last calls did, and not before there were enough.
/// - While it is open no call is made; then one tries, alone. Where that is answered it closes, where it fails it stays
///   open for longer.
/// - A call that began before the state changed counts for nothing after.
/// - A ticket that never comes back wedges nothing.
/// - `Retry-After` is obeyed in every state and whichever call it came with, and changes no state by itself.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    jitter: Jitter,
    state: State,
    /// Each change of the state begins another one: what a call of an earlier one came to says nothing of it.
    era: u64,
    window: Window,
    /// No call is made before this: the endpoint asked for that.
    quiet_until: Option<MonoTime>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    /// `attempt` counts the waits in a row, from 0.
    Open {
        until: MonoTime,
        attempt: u32,
    },
    HalfOpen {
        since: MonoTime,
        attempt: u32,
    },
}

/// What a breaker is, to whoever looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerState {
    /// Calls are made.
    Closed,
    /// One call tries.
    HalfOpen,
    /// None is made.
    Open,
}

/// Whether a call may be made.
#[derive(Debug)]
#[must_use]
pub enum Permission {
    /// It may; what comes of it goes to [`Breaker::finished`] with this.
    Call(Ticket),
    /// It may not.
    Refused {
        /// [`Failure::CircuitOpen`] or [`Failure::AskedToWait`].
        failure: Failure,
        /// For how long, at most: a call that tries may come back sooner.
        retry_in: Duration,
    },
}

/// A call that may be made. Where this is dropped, the call counts for nothing.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    era: u64,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The endpoint answered, whatever it said.
    Answered,
    /// It did not, or with what is no answer.
    Failed {
        /// `Retry-After`, as the time from now.
        retry_after: Option<Duration>,
    },
    /// Nothing of the endpoint: it was not asked, or spoke of our credential alone.
    NotMade,
}

/// A change of a breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it was.
    pub from: BreakerState,
    /// What it is.
    pub to: BreakerState,
    /// Where it is open now: for how long no call is made.
    pub retry_in: Option<Duration>,
}

impl BreakerState {
    /// Every state, in the order of their labels.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// The label in metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

impl Breaker {
    /// A closed one that knows of no call. `seed` spreads its deadlines.
    pub fn new(settings: BreakerSettings, seed: u64) -> Self {
        let window = Window::new(settings.window);
        Self { settings, jitter: Jitter::new(seed), state: State::Closed, era: 0, window, quiet_until: None }
    }

    /// Whether a call may be made now. Where that is the one that tries, it half-opens.
    pub fn ask(&mut self, now: MonoTime) -> (Permission, Option<Transition>) {
        if let Some((failure, retry_in)) = self.refused(now) {
            return (Permission::Refused { failure, retry_in }, None);
        }
        let transition = match self.state {
            State::Closed => None,
            State::Open { attempt, .. } => self.change(now, State::HalfOpen { since: now, attempt }),
            // Whoever tried never came back.
            State::HalfOpen { attempt, .. } => self.change(now, State::HalfOpen { since: now, attempt }),
        };
        (Permission::Call(Ticket { era: self.era }), transition)
    }

    /// Why a call may not be made now.
    pub fn refusal(&self, now: MonoTime) -> Option<Failure> {
        self.refused(now).map(|(failure, _)| failure)
    }

    /// How long no call may be made from now on, at most.
    pub fn retry_in(&self, now: MonoTime) -> Option<Duration> {
        self.refused(now).map(|(_, retry_in)| retry_in)
    }

    /// What it is. An open one whose wait is over stays open until somebody asks.
    pub fn state(&self) -> BreakerState {
        self.state.kind()
    }

    /// Takes in what came of a call.
    pub fn finished(&mut self, now: MonoTime, ticket: Ticket, outcome: CallOutcome) -> Option<Transition> {
        if let CallOutcome::Failed { retry_after: Some(wait) } = outcome {
            let until = now.saturating_add(wait.min(self.settings.longest_wait));
            self.quiet_until = self.quiet_until.max(Some(until));
        }
        if ticket.era != self.era {
            return None;
        }
        match (self.state, outcome) {
            (State::Open { .. }, _) | (State::Closed, CallOutcome::NotMade) => None,
            (State::Closed, outcome) => {
                let has_failed = matches!(outcome, CallOutcome::Failed { .. });
                self.window.count(now, has_failed);
                if has_failed && self.fails_too_often(now) { self.open(now, 0) } else { None }
            }
            (State::HalfOpen { .. }, CallOutcome::Answered) => {
                self.window = Window::new(self.settings.window);
                self.change(now, State::Closed)
            }
            (State::HalfOpen { attempt, .. }, CallOutcome::Failed { .. }) => {
                self.open(now, attempt.saturating_add(1))
            }
            // The next one may try at once.
            (State::HalfOpen { attempt, .. }, CallOutcome::NotMade) => {
                self.change(now, State::Open { until: now, attempt })
            }
        }
    }

    fn refused(&self, now: MonoTime) -> Option<(Failure, Duration)> {
        let until = match self.state {
            State::Closed => now,
            State::Open { until, .. } => until,
            State::HalfOpen { since, .. } => since.saturating_add(self.settings.probe_patience),
        };
        let (failure, until) = match self.quiet_until.filter(|quiet_until| now < *quiet_until) {
            Some(quiet_until) => (Failure::AskedToWait, quiet_until.max(until)),
            None => (Failure::CircuitOpen, until),
        };
        (now < until).then(|| (failure, until.saturating_since(now)))
    }

    fn fails_too_often(&self, now: MonoTime) -> bool {
        let (calls, failures) = self.window.sum(now);
        let least_calls = u64::from(self.settings.least_calls);
        calls >= least_calls && failures * 100 >= calls * u64::from(self.settings.failure_percent)
    }

    fn open(&mut self, now: MonoTime, attempt: u32) -> Option<Transition> {
        let BreakerSettings { probe_after, probe_limit, .. } = self.settings;
        // No longer than a clock goes on, so that no sum overflows.
        let limit = probe_limit.min(Duration::from_nanos(u64::MAX));
        let wait = probe_after.saturating_mul(1 << attempt.min(16)).min(limit);
        let wait = self.jitter.between(wait - wait / 10, wait + wait / 10);
        self.change(now, State::Open { until: now.saturating_add(wait), attempt })
    }

    fn change(&mut self, now: MonoTime, state: State) -> Option<Transition> {
        let (from, to) = (self.state.kind(), state.kind());
        self.state = state;
        self.era = self.era.wrapping_add(1);
        let retry_in = (to == BreakerState::Open).then(|| self.retry_in(now).unwrap_or_default());
        (from != to).then_some(Transition { from, to, retry_in })
    }
}

impl State {
    const fn kind(self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::HalfOpen { .. } => BreakerState::HalfOpen,
            Self::Open { .. } => BreakerState::Open,
        }
    }
}

/// A window has so many parts; it slides by one of them.
const PARTS: usize = 10;

/// Counts the calls of the last while, by parts of it.
#[derive(Debug)]
struct Window {
    part: Duration,
    parts: [Part; PARTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Which part of all time it counts.
    number: u64,
    calls: u64,
    failures: u64,
}

impl Window {
    fn new(length: Duration) -> Self {
        Self { part: length / PARTS as u32, parts: [Part::default(); PARTS] }
    }

    fn number(&self, now: MonoTime) -> u64 {
        let part = u64::try_from(self.part.as_nanos()).unwrap_or(u64::MAX).max(1);
        now.0 / part
    }

    fn count(&mut self, now: MonoTime, has_failed: bool) {
        let number = self.number(now);
        let place = usize::try_from(number % PARTS as u64).unwrap_or(0);
        if let Some(part) = self.parts.get_mut(place) {
            // A clock that was read long ago finds a later part in its place, and counts in that.
            if part.number < number {
                *part = Part { number, ..Part::default() };
            }
            part.calls += 1;
            part.failures += u64::from(has_failed);
        }
    }

    fn sum(&self, now: MonoTime) -> (u64, u64) {
        let number = self.number(now);
        let is_recent = |part: &&Part| number.saturating_sub(part.number) < PARTS as u64;
        let recent = self.parts.iter().filter(is_recent);
        recent.fold((0, 0), |(calls, failures), part| (calls + part.calls, failures + part.failures))
    }
}
