//! The flight recorder: the last verdicts in short, what has changed, and how many verdicts there were of each kind, in
//! memory. No token is in it, and no claim.

mod counts;
mod dump;
mod report;
mod spike;
mod summary;
mod transition;
mod unknown_kids;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward::clock::Clock;
use keyward::event::{Event, Observer};
use keyward::{FallbackCause, MonoTime, Now, Reason};

use counts::{Seconds, Tally};
pub(crate) use dump::Dumps;
use report::Recorded;
pub(crate) use report::{Asked, PATH, Recording};
use spike::{Spike, Spikes};
use summary::Summaries;
pub(crate) use summary::{Judged, Outcome, Source};
use transition::{Transitions, What};
use unknown_kids::{UnknownKids, is_of_unknown_kid};
pub(crate) use watch::{keep_at, watch};

/// Records what a gateway does. Recording a verdict allocates nothing and waits for nobody.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: Arc<dyn Clock>,
    started: Now,
    tally: Tally,
    seconds: Mutex<Seconds>,
    spikes: Mutex<Spikes>,
    summaries: Summaries,
    transitions: Mutex<Transitions>,
    unknown_kids: Mutex<UnknownKids>,
}

impl Recorder {
    pub(crate) fn new(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let started = clock.now();
        Self {
            clock,
            started,
            tally: Tally::new(),
            seconds: Mutex::new(Seconds::new(started.mono)),
            spikes: Mutex::new(Spikes::new(started.mono)),
            summaries: Summaries::new(capacity),
            transitions: Mutex::default(),
            unknown_kids: Mutex::new(UnknownKids::new(started.mono)),
        }
    }

    /// The clock that its times are of.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Tells the fallbacks of these issuers apart from now on.
    pub(crate) fn expect<'a>(&self, issuers: impl Iterator<Item = &'a str>) {
        issuers.for_each(|issuer| self.tally.expect(issuer));
    }

    /// A verdict.
    #[inline]
    pub(crate) fn verdict(&self, judged: &Judged<'_>) {
        self.tally.verdict(match judged.outcome {
            Outcome::Accepted(_) => None,
            Outcome::Refused(reason, _) => Some(reason),
        });
        self.summaries.push(judged);
    }

    /// Whether the `kid` of a token that was refused for this reason is wanted: of so many a second, and nobody waits.
    pub(crate) fn wants_kid(&self, reason: Reason, now: MonoTime) -> bool {
        is_of_unknown_kid(reason) && self.unknown_kids.try_lock().is_ok_and(|mut kids| kids.admits(now))
    }

    /// A `kid` that no key set holds. It is a stranger's text: what is kept is a number that stands for it.
    pub(crate) fn unknown_kid(&self, kid: &str, now: MonoTime) {
        if let Ok(mut kids) = self.unknown_kids.try_lock() {
            kids.push(now, kid);
        }
    }

    /// That a verdict was reached by the second way.
    pub(crate) fn fallback(&self, issuer: &str, cause: FallbackCause) {
        if !self.tally.fallback(issuer, cause) {
            self.summaries.miss();
        }
    }

    /// A request whose route cannot be told.
    pub(crate) fn unclear(&self) {
        self.tally.unclear();
    }

    /// Something that changed of the gateway itself.
    pub(crate) fn changed(&self, event: &'static str) {
        self.push(What::of_gateway(event));
    }

    /// Closes the second that is over, if one is, and says whether verdicts multiplied in it.
    pub(crate) fn tick(&self) -> Option<Spike> {
        let now = self.clock.mono();
        let families = self.seconds().close(now, self.tally.read())?;
        self.spikes.lock().unwrap_or_else(PoisonError::into_inner).look(now, families)
    }

    /// What is recorded of the last `since`, with this many of the last verdicts.
    pub(crate) fn recording(&self, since: Duration, recent: usize) -> Recording {
        let now = self.clock.now();
        let reading = self.tally.read();
        let counts = self.seconds().over(now.mono, since, &reading);
        let transitions = self.transitions();
        let (changed, forgotten) = (transitions.last_first(), transitions.forgotten());
        drop(transitions);
        let up = now.mono.saturating_since(self.started.mono);
        Recording::of(Recorded {
            now,
            up,
            since: since.min(up),
            counted: self.tally.named(&counts),
            transitions: &changed,
            transitions_forgotten: forgotten,
            unknown_kids: self.unknown_kids().told(now.mono, since),
            recent: &self.summaries.last(recent),
            missed: self.summaries.missed(),
        })
    }

    fn push(&self, what: What) {
        let now = self.clock.now();
        self.transitions().push(now.mono, now.wall, what);
    }

    fn seconds(&self) -> MutexGuard<'_, Seconds> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown_kids(&self) -> MutexGuard<'_, UnknownKids> {
        self.unknown_kids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transitions(&self) -> MutexGuard<'_, Transitions> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        if let Event::Refreshed { refreshed, .. } = event {
            self.unknown_kids().refreshed(&refreshed.added, &refreshed.removed);
        }
        if let Some(what) = What::of(issuer, event) {
            self.push(what);
        }
    }
}
