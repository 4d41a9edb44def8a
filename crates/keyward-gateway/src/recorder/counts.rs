//! How many verdicts there were, by kind, and in which second. The time is handed in.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use keyward::{Failure, FallbackCause, MonoTime, Reason, Verdict};

/// How far back counts are kept.
pub(crate) const LONGEST: Duration = Duration::from_secs(600);

/// How long a second is, but where nobody closes it in time.
const SECOND: Duration = Duration::from_secs(1);

/// How many issuers' fallbacks are told apart: all that were configured since the start. Those of more are counted
/// in the metrics only.
const ISSUERS: usize = 1024;

/// Causes of a fallback: the endpoint's failures, then the keys' reasons.
const CAUSES: usize = Failure::ALL.len() + Reason::ALL.len();

/// Where the fallbacks of the first issuer begin in a reading: after what was accepted, the reasons, and what was unclear.
const FALLBACKS: usize = Reason::ALL.len() + 2;

/// Counts since the start. Counting takes no lock that anybody waits for.
#[derive(Debug)]
pub(super) struct Tally {
    accepted: AtomicU64,
    reasons: Box<[AtomicU64]>,
    unclear: AtomicU64,
    /// By issuer, in the order in which they were first configured, and by cause.
    fallbacks: RwLock<Vec<Fallbacks>>,
}

/// An issuer's fallbacks, by cause.
#[derive(Debug)]
struct Fallbacks {
    issuer: Box<str>,
    counts: Box<[AtomicU64]>,
}

/// What a tally says at one moment: a number for each kind, in an order that never changes; kinds are only added.
pub(super) type Reading = Vec<u64>;

/// What was counted, second by second, over the last ten minutes.
#[derive(Debug)]
pub(super) struct Seconds {
    closed: VecDeque<Second>,
    /// What the tally said when the last one was closed, and when that was.
    last: Reading,
    open_since: MonoTime,
}

#[derive(Debug)]
struct Second {
    begun: MonoTime,
    /// The kinds that were counted in it.
    counted: Box<[(usize, u64)]>,
}

/// How many there were of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Accepted(u64),
    Fallback { issuer: Box<str>, cause: &'static str, count: u64 },
    Refused(Reason, u64),
    Unclear(u64),
}

/// Verdicts that go up together when something is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Families {
    pub(crate) reject: u64,
    pub(crate) undecided: u64,
    pub(crate) fallback: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            accepted: AtomicU64::new(0),
            reasons: zeros(Reason::ALL.len()),
            unclear: AtomicU64::new(0),
            fallbacks: RwLock::default(),
        }
    }

    /// Counts the fallbacks of this issuer, too.
    pub(super) fn expect(&self, issuer: &str) {
        let mut fallbacks = self.fallbacks.write().unwrap_or_else(PoisonError::into_inner);
        if fallbacks.len() < ISSUERS && fallbacks.iter().all(|fallbacks| *fallbacks.issuer != *issuer) {
            fallbacks.push(Fallbacks { issuer: issuer.into(), counts: zeros(CAUSES) });
        }
    }

    /// Counts a verdict.
    #[inline]
    pub(super) fn verdict(&self, reason: Option<Reason>) {
        let count = match reason {
            None => Some(&self.accepted),
            Some(reason) => self.reasons.get(reason as usize),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a verdict that was reached by the second way; `false` where it could not be counted at once.
    pub(super) fn fallback(&self, issuer: &str, cause: FallbackCause) -> bool {
        let place = match cause {
            FallbackCause::Introspection(failure) => failure as usize,
            FallbackCause::KeySet(reason) => Failure::ALL.len() + reason as usize,
        };
        let Ok(fallbacks) = self.fallbacks.try_read() else {
            return false;
        };
        let fallbacks = fallbacks.iter().find(|fallbacks| *fallbacks.issuer == *issuer);
        let count = fallbacks.and_then(|fallbacks| fallbacks.counts.get(place));
        count.map(|count| count.fetch_add(1, Ordering::Relaxed)).is_some()
    }

    /// Counts a request whose route cannot be told.
    pub(super) fn unclear(&self) {
        self.unclear.fetch_add(1, Ordering::Relaxed);
    }

    /// What it says now.
    pub(super) fn read(&self) -> Reading {
        let fallbacks = self.fallbacks.read().unwrap_or_else(PoisonError::into_inner);
        let counts = [&self.accepted].into_iter().chain(&self.reasons).chain([&self.unclear]);
        let counts = counts.chain(fallbacks.iter().flat_map(|fallbacks| fallbacks.counts.iter()));
        counts.map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// What the numbers of a reading are of, but for those that are 0.
    pub(super) fn named(&self, reading: &[u64]) -> Vec<Counted> {
        let fallbacks = self.fallbacks.read().unwrap_or_else(PoisonError::into_inner);
        let mut named: Vec<Counted> = Vec::new();
        for (place, &count) in reading.iter().enumerate().filter(|(_, count)| **count > 0) {
            match kind(place) {
                Kind::Accepted => named.push(Counted::Accepted(count)),
                Kind::Refused(reason) => named.push(Counted::Refused(reason, count)),
                Kind::Unclear => named.push(Counted::Unclear(count)),
                Kind::Fallback { issuer, cause } => {
                    let Some(Fallbacks { issuer, .. }) = fallbacks.get(issuer) else {
                        continue;
                    };
                    // A label may be that of a failure and that of a reason.
                    let same = named.iter_mut().find_map(|named| match named {
                        Counted::Fallback { issuer: of, cause: by, count }
                            if of == issuer && *by == cause =>
                        {
                            Some(count)
                        }
                        _ => None,
                    });
                    match same {
                        Some(sum) => *sum += count,
                        None => named.push(Counted::Fallback { issuer: issuer.clone(), cause, count }),
                    }
                }
            }
        }
        named
    }
}

fn zeros(count: usize) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

/// What a place in a reading is of.
enum Kind {
    Accepted,
    Fallback { issuer: usize, cause: &'static str },
    Refused(Reason),
    Unclear,
}

fn kind(place: usize) -> Kind {
    if let Some(of_fallback) = place.checked_sub(FALLBACKS) {
        let (issuer, cause) = (of_fallback / CAUSES, of_fallback % CAUSES);
        let by_keys = || cause.checked_sub(Failure::ALL.len()).and_then(|place| Reason::ALL.get(place));
        let label = match Failure::ALL.get(cause) {
            Some(failure) => Some(failure.label()),
            None => by_keys().map(|reason| reason.label()),
        };
        return Kind::Fallback { issuer, cause: label.unwrap_or_default() };
    }
    match place.checked_sub(1).map(|place| Reason::ALL.get(place)) {
        None => Kind::Accepted,
        Some(Some(reason)) => Kind::Refused(*reason),
        Some(None) => Kind::Unclear,
    }
}

impl Families {
    fn of(counted: &[(usize, u64)]) -> Self {
        let mut families = Self::default();
        for (place, count) in counted {
            match kind(*place) {
                Kind::Fallback { .. } => families.fallback += count,
                Kind::Refused(reason) => match Verdict::from(reason) {
                    Verdict::Undecided(_) => families.undecided += count,
                    Verdict::Accept(_) | Verdict::Reject(_) => families.reject += count,
                },
                Kind::Accepted | Kind::Unclear => {}
            }
        }
        families
    }
}

impl Seconds {
    /// Begins at `now` with nothing.
    pub(super) fn new(now: MonoTime) -> Self {
        Self { closed: VecDeque::new(), last: Reading::new(), open_since: now }
    }

    /// Closes the second, where it is over: what was counted in it, by family. It is to be called about once a second; a
    /// second that was closed late counts as one.
    pub(super) fn close(&mut self, now: MonoTime, reading: Reading) -> Option<Families> {
        if now.saturating_since(self.open_since) < SECOND {
            return None;
        }
        let counted = self.open(&reading);
        let families = Families::of(&counted);
        if !counted.is_empty() {
            self.closed.push_back(Second { begun: self.open_since, counted });
        }
        (self.last, self.open_since) = (reading, now);
        while self.closed.front().is_some_and(|second| now.saturating_since(second.begun) > LONGEST) {
            self.closed.pop_front();
        }
        Some(families)
    }

    /// What was counted in the last `since`, whole seconds only, and since the last one was closed.
    pub(super) fn over(&self, now: MonoTime, since: Duration, reading: &[u64]) -> Reading {
        let mut counts = vec![0; reading.len()];
        let closed = self.closed.iter().rev();
        let inside = closed.take_while(|second| now.saturating_since(second.begun) <= since);
        let open = self.open(reading);
        for (place, count) in inside.flat_map(|second| &second.counted).chain(&open) {
            if let Some(sum) = counts.get_mut(*place) {
                *sum += count;
            }
        }
        counts
    }

    fn open(&self, reading: &[u64]) -> Box<[(usize, u64)]> {
        let last = self.last.iter().copied().chain(std::iter::repeat(0));
        let counted = reading.iter().zip(last).map(|(count, last)| count.saturating_sub(last));
        counted.enumerate().filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Something that happens, and how many milliseconds after what happened before it.
    #[derive(Clone, Debug)]
    enum Step {
        Verdict(Option<Reason>),
        Fallback(usize, FallbackCause),
        Unclear,
        Tick,
        Expect(usize),
    }

    const NAMES: [&str; 3] = ["one", "two", "three"];

    fn step() -> impl Strategy<Value = Step> {
        let reason = || (0..Reason::ALL.len()).prop_map(|place| Reason::ALL[place]);
        let cause = prop_oneof![
            (0..Failure::ALL.len()).prop_map(|place| FallbackCause::Introspection(Failure::ALL[place])),
            reason().prop_map(FallbackCause::KeySet),
        ];
        prop_oneof![
            4 => proptest::option::of(reason()).prop_map(Step::Verdict),
            2 => (0..NAMES.len(), cause).prop_map(|(issuer, cause)| Step::Fallback(issuer, cause)),
            1 => Just(Step::Unclear),
            4 => Just(Step::Tick),
            1 => (0..NAMES.len()).prop_map(Step::Expect),
        ]
    }

    fn label(cause: FallbackCause) -> &'static str {
        cause.label()
    }

    /// As the answer sorts them, so that order is no matter.
    fn sorted(mut counted: Vec<Counted>) -> Vec<String> {
        let mut lines: Vec<_> = counted.drain(..).map(|counted| format!("{counted:?}")).collect();
        lines.sort();
        lines
    }

    proptest! {
        /// Against a list of all that ever happened, with the time at which its second began.
        #[test]
        fn counts_what_a_list_of_everything_counts(
            steps in proptest::collection::vec((step(), 0_u64..400_000), 1..300),
            since in 1_u64..700,
        ) {
            let tally = Tally::new();
            let millis = |millis: u64| MonoTime(millis * 1_000_000);
            let mut seconds = Seconds::new(millis(0));
            let (mut now, mut begun) = (0, 0);
            let mut all: Vec<(u64, Counted)> = Vec::new();
            let mut expected: Vec<usize> = Vec::new();
            for (step, later) in steps {
                // Mostly little time passes, sometimes minutes.
                now += if later < 380_000 { later % 700 } else { later };
                match step {
                    Step::Verdict(reason) => {
                        tally.verdict(reason);
                        all.push((begun, reason.map_or(Counted::Accepted(1), |reason| Counted::Refused(reason, 1))));
                    }
                    Step::Fallback(issuer, cause) => {
                        let counted = tally.fallback(NAMES[issuer], cause);
                        prop_assert_eq!(counted, expected.contains(&issuer));
                        if counted {
                            let cause = label(cause);
                            all.push((begun, Counted::Fallback { issuer: NAMES[issuer].into(), cause, count: 1 }));
                        }
                    }
                    Step::Unclear => {
                        tally.unclear();
                        all.push((begun, Counted::Unclear(1)));
                    }
                    Step::Expect(issuer) => {
                        tally.expect(NAMES[issuer]);
                        if !expected.contains(&issuer) {
                            expected.push(issuer);
                        }
                    }
                    Step::Tick => {
                        let closed = seconds.close(millis(now), tally.read());
                        prop_assert_eq!(closed.is_some(), now - begun >= 1000);
                        if let Some(families) = closed {
                            let in_it = || all.iter().filter(|(second, _)| *second == begun).map(|(_, counted)| counted);
                            let refused = |undecided| in_it()
                                .filter(|counted| matches!(counted, Counted::Refused(reason, _) if reason.is_undecided() == undecided))
                                .count() as u64;
                            let fallback = in_it().filter(|counted| matches!(counted, Counted::Fallback { .. })).count() as u64;
                            prop_assert_eq!(families, Families { reject: refused(false), undecided: refused(true), fallback });
                            begun = now;
                        }
                    }
                }
            }
            let since = since.min(LONGEST.as_secs());
            let reading = tally.read();
            let over = seconds.over(millis(now), Duration::from_secs(since), &reading);
            let mut model: Vec<Counted> = Vec::new();
            for (second, one) in &all {
                if *second != begun && now - second > since * 1000 {
                    continue;
                }
                let same = model.iter_mut().find_map(|counted| match (counted, one) {
                    (Counted::Accepted(count), Counted::Accepted(_)) | (Counted::Unclear(count), Counted::Unclear(_)) => Some(count),
                    (Counted::Refused(reason, count), Counted::Refused(other, _)) if reason == other => Some(count),
                    (Counted::Fallback { issuer, cause, count }, Counted::Fallback { issuer: of, cause: other, .. })
                        if issuer == of && cause == other => Some(count),
                    _ => None,
                });
                match same {
                    Some(count) => *count += 1,
                    None => model.push(one.clone()),
                }
            }
            prop_assert_eq!(sorted(tally.named(&over)), sorted(model));
        }
    }

    #[test]
    fn a_label_of_two_causes_is_told_once() {
        let tally = Tally::new();
        tally.expect("main");
        assert!(tally.fallback("main", FallbackCause::Introspection(Failure::Overloaded)));
        assert!(tally.fallback("main", FallbackCause::KeySet(Reason::Overloaded)));
        let told = Counted::Fallback { issuer: "main".into(), cause: "overloaded", count: 2 };
        assert_eq!(tally.named(&tally.read()), [told]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (tally, mut seconds) = (Tally::new(), Seconds::new(MonoTime(0)));
        for second in 1..2000 {
            tally.verdict(None);
            seconds.close(MonoTime(second * 1_000_000_000), tally.read());
        }
        assert!((600..=601).contains(&seconds.closed.len()), "{}", seconds.closed.len());
        let names: Vec<_> = (0..2000).map(|number| number.to_string()).collect();
        names.iter().for_each(|name| tally.expect(name));
        assert_eq!(tally.fallbacks.read().unwrap().len(), ISSUERS);
    }
}
