//! What became of one issuer in a schedule: when its provider answered well, when the verifier could ask it, and when
//! each of its keys was shown.

use std::collections::BTreeMap;
use std::time::Duration;

use keyward_lab::command::{Command, JwksUri, Lag};
use keyward_lab::fault::{Endpoint, Fault};
use keyward_lab::time::Time;

use super::plan::{Event, Millis, PlannedIssuer, Schedule};
use crate::drill::GatewayStep;

/// A stretch of time: from its beginning until before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Millis,
    pub(super) to: Millis,
}

/// Later than any time of a schedule.
pub(super) const NEVER: Millis = Millis::MAX / 4;

/// What a fetch comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It fails.
    Bad,
    /// Nobody can tell.
    Unclear,
    /// It succeeds, and takes this long.
    Well(Millis),
}

/// What became of one issuer.
#[derive(Debug)]
pub(super) struct History {
    issuer: PlannedIssuer,
    /// While the verifier was up.
    stretches: Vec<(Span, Condition)>,
    /// When each key was published.
    published: BTreeMap<String, Vec<Span>>,
    /// When each key was in what was answered, by a cache in front or without one.
    shown: BTreeMap<String, Vec<Span>>,
    /// When answers came from a cache in front, by how much they were old, and whether they said so.
    lags: Vec<(Span, Lag)>,
    /// When the verifier was started.
    starts: Vec<Millis>,
    /// When it lost the keys that it had, in memory and on the disk.
    losses: Vec<Millis>,
    asks_for_patience: bool,
}

const NO_LAG: Lag = Lag { by: Time(Duration::ZERO), age_header: false };

/// How long a request goes on with the verifier that was killed after it came.
const AFTERLIFE: Millis = 1000;

/// The longest time between two fetches that fail for good, as the reference has it.
const RETRY_REST: Millis = 30_000;

impl History {
    pub(super) fn of(schedule: &Schedule, issuer: &PlannedIssuer) -> Self {
        let mut history = Self {
            issuer: issuer.clone(),
            stretches: Vec::new(),
            // However old the copy in a cache is, it has this one.
            published: [(format!("{}-1", issuer.name), vec![Span { from: -NEVER, to: NEVER }])].into(),
            shown: BTreeMap::new(),
            lags: vec![(Span { from: 0, to: NEVER }, NO_LAG)],
            starts: vec![0],
            losses: Vec::new(),
            asks_for_patience: false,
        };
        let mut provider = Provider::default();
        let (mut since, mut is_up) = (0, true);
        for (at, event) in &schedule.events {
            let was = is_up.then(|| provider.condition(issuer.timeout));
            match event {
                Event::Ask(_) => continue,
                // The schedules decide by keys, which credentials and what endpoints said have no part in.
                Event::Gateway(
                    GatewayStep::Credential(_) | GatewayStep::Deny(_) | GatewayStep::Forget(_),
                ) => continue,
                Event::Gateway(GatewayStep::Kill) => {
                    is_up = false;
                    history.losses.extend((!schedule.snapshots).then_some(*at));
                }
                Event::Gateway(GatewayStep::Snapshot(_)) => history.losses.push(*at),
                Event::Gateway(GatewayStep::Start | GatewayStep::Restart) => {
                    is_up = true;
                    history.starts.push(*at);
                }
                Event::Provider(command) if command.issuer.as_deref() == Some(&issuer.name) => {
                    history.asks_for_patience |= asks_for_patience(command);
                    provider.obey(command);
                    history.publish(*at, command);
                }
                Event::Provider(_) => continue,
            }
            history.stretches.extend(was.map(|was| (Span { from: since, to: *at }, was)));
            since = *at;
        }
        let last = is_up.then(|| provider.condition(issuer.timeout));
        history.stretches.extend(last.map(|last| (Span { from: since, to: NEVER }, last)));
        history.stretches.retain(|(span, _)| span.from < span.to);
        let published = &history.published;
        history.shown =
            published.iter().map(|(key, spans)| (key.clone(), seen_by(spans, &history.lags))).collect();
        history
    }

    fn publish(&mut self, at: Millis, command: &Command) {
        if let (Some(lag), Some((last, _))) = (command.lag, self.lags.last_mut()) {
            last.to = at;
            self.lags.push((Span { from: at, to: NEVER }, lag));
        }
        for key in &command.publish {
            let spans = self.published.entry(key.clone()).or_default();
            if spans.last().is_none_or(|span| span.to < NEVER) {
                spans.push(Span { from: at, to: NEVER });
            }
        }
        for key in &command.withdraw {
            let last = self.published.get_mut(key).and_then(|spans| spans.last_mut());
            if let Some(span) = last.filter(|span| span.to == NEVER) {
                span.to = at;
            }
        }
    }

    pub(super) fn issuer(&self) -> &PlannedIssuer {
        &self.issuer
    }

    /// Whether the verifier was up from the one time to the other.
    pub(super) fn is_up(&self, from: Millis, to: Millis) -> bool {
        self.run(from, |_| true).is_some_and(|run| to < run.to)
            && !self.starts.iter().any(|start| (from + 1..=to).contains(start))
    }

    /// How long a set is fresh, at the shortest and at the longest.
    pub(super) fn ttl(&self) -> Span {
        let PlannedIssuer { ttl, max_age, stale_limit, .. } = self.issuer;
        // Before the first answer it is the verifier's own.
        let said = max_age.map_or(ttl, |seconds| seconds * 1000).max(60_000).min(stale_limit);
        Span { from: said.min(ttl), to: said.max(ttl) }
    }

    /// How long at the longest it is until a fetch has succeeded, where each that begins does: one that began before
    /// and hangs, the rest after it, or the time to the next refresh.
    pub(super) fn patience(&self) -> Millis {
        let PlannedIssuer { stale_limit, timeout, .. } = self.issuer;
        let asked = if self.asks_for_patience { stale_limit / 10 } else { 0 };
        let rest = RETRY_REST.min(self.ttl().to).max(asked);
        (self.ttl().to * 8 / 10).max(timeout + rest) + timeout + 1000
    }

    /// A time at or after which the fetch began whose set is in force, or which is newer than that; none where there
    /// may be no set.
    pub(super) fn surely_fetched(&self, at: Millis) -> Option<Millis> {
        let since = self.lost_before(at);
        let regular = self.runs(|condition| matches!(condition, Condition::Well(_))).filter_map(|run| {
            let last = run.to.min(at) - self.patience();
            (last >= run.from && run.to.min(at) > since).then_some(last)
        });
        let first = self.starts.iter().filter_map(|start| {
            let (span, condition) = self.stretches.iter().find(|(span, _)| span.holds(*start))?;
            let Condition::Well(takes) = condition else { return None };
            let known = start + takes + 1;
            (known < span.to && known <= at).then_some(*start)
        });
        regular.chain(first).filter(|fetched| *fetched >= since).max()
    }

    /// Whether the set that is in force at some time between these may hold the key.
    pub(super) fn may_hold(&self, key: &str, asked: Millis, answered: Millis, slack: Millis) -> bool {
        let PlannedIssuer { stale_limit, timeout, .. } = self.issuer;
        let surely = self.surely_fetched(asked).unwrap_or(0);
        let earliest = surely.max(self.lost_before(asked)).max(asked - stale_limit - slack);
        let window = Span { from: earliest, to: answered + 1 };
        let mut shown = self.spans(key).iter();
        shown.any(|shown| {
            // It may have been asked before the key was there, and answered after.
            let shown = Span { from: shown.from - timeout, to: shown.to + 1 };
            self.stretches.iter().any(|(span, condition)| {
                let possible = Span { from: span.from, to: span.to + AFTERLIFE };
                *condition != Condition::Bad
                    && possible.overlap(shown).and_then(|both| both.overlap(window)).is_some()
            })
        })
    }

    /// Since when the key has been shown, where it was from the one time to the other without a gap.
    pub(super) fn shown_since(&self, key: &str, from: Millis, to: Millis) -> Option<Millis> {
        let mut spans = self.spans(key).iter();
        spans.find(|span| span.from <= from && to < span.to).map(|span| span.from)
    }

    /// Since when the key has been published, as far as answers that are old say that they are: where one does not, it
    /// is none.
    pub(super) fn published_since(&self, key: &str, from: Millis, to: Millis) -> Option<Millis> {
        let hides_its_age = |(_, lag): &(Span, Lag)| !lag.age_header && !lag.by.0.is_zero();
        let spans = self.published.get(key).filter(|_| !self.lags.iter().any(hides_its_age))?;
        spans.iter().find(|span| span.from <= from && to < span.to).map(|span| span.from)
    }

    /// Whether answers were of their time.
    pub(super) fn has_no_lag(&self, at: Millis) -> bool {
        self.lags.iter().any(|(span, lag)| span.holds(at) && lag.by.0.is_zero())
    }

    /// Whether the key was shown before this time at all.
    pub(super) fn was_shown(&self, key: &str, by: Millis) -> bool {
        self.spans(key).iter().any(|span| span.from <= by)
    }

    /// Whether every fetch has succeeded at once, for longer than one before that may matter, until `to`.
    pub(super) fn is_calm(&self, from: Millis, to: Millis) -> bool {
        self.run(from, |condition| condition == Condition::Well(0))
            .is_some_and(|run| from - run.from > self.patience() && to < run.to)
    }

    /// When the verifier was up and this was so.
    pub(super) fn stretches(&self) -> impl Iterator<Item = (Span, Condition)> {
        self.stretches.iter().copied()
    }

    pub(super) fn starts(&self) -> usize {
        self.starts.len()
    }

    fn spans(&self, key: &str) -> &[Span] {
        self.shown.get(key).map_or(&[], Vec::as_slice)
    }

    fn lost_before(&self, at: Millis) -> Millis {
        self.losses.iter().copied().filter(|loss| *loss <= at).max().unwrap_or(0)
    }

    fn run(&self, at: Millis, is: impl Fn(Condition) -> bool) -> Option<Span> {
        self.runs(is).find(|run| run.holds(at))
    }

    /// Stretches without a gap in which this was so and the verifier was the same.
    fn runs(&self, is: impl Fn(Condition) -> bool) -> impl Iterator<Item = Span> {
        let mut runs: Vec<Span> = Vec::new();
        for (span, _) in self.stretches.iter().filter(|(_, condition)| is(*condition)) {
            match runs.last_mut() {
                Some(run) if run.to == span.from => run.to = span.to,
                _ => runs.push(*span),
            }
        }
        runs.into_iter()
    }
}

impl Span {
    pub(super) fn holds(self, at: Millis) -> bool {
        (self.from..self.to).contains(&at)
    }

    fn overlap(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }
}

/// When a key that is published in these stretches of time is in answers that lag like this.
fn seen_by(published: &[Span], lags: &[(Span, Lag)]) -> Vec<Span> {
    let mut seen: Vec<Span> = Vec::new();
    for (during, lag) in lags {
        let by = Millis::try_from(lag.by.0.as_millis()).unwrap_or(NEVER);
        for span in published {
            let later = Span { from: span.from + by, to: span.to + by };
            match (later.overlap(*during), seen.last_mut()) {
                (Some(both), Some(last)) if last.to == both.from => last.to = both.to,
                (Some(both), _) => seen.push(both),
                (None, _) => {}
            }
        }
    }
    seen
}

fn asks_for_patience(command: &Command) -> bool {
    command.fault.values().any(|fault| matches!(fault, Fault::Status { retry_after: Some(_), .. }))
}

/// How a provider is.
#[derive(Debug, Default)]
struct Provider {
    discovery: Option<Fault>,
    jwks: Option<Fault>,
    is_empty: bool,
    was_empty: bool,
    is_lying: bool,
    lags: bool,
}

impl Provider {
    fn obey(&mut self, command: &Command) {
        for endpoint in &command.mend {
            self.set(*endpoint, None);
        }
        for (endpoint, fault) in &command.fault {
            self.set(*endpoint, Some(fault));
        }
        self.is_empty = command.empty.unwrap_or(self.is_empty);
        self.was_empty |= self.is_empty;
        self.lags = command.lag.map_or(self.lags, |lag| !lag.by.0.is_zero());
        self.is_lying = command.jwks_uri.as_ref().map_or(self.is_lying, |uri| *uri != JwksUri::True);
    }

    fn set(&mut self, endpoint: Endpoint, fault: Option<&Fault>) {
        if matches!(endpoint, Endpoint::All | Endpoint::Discovery) {
            self.discovery = fault.cloned();
        }
        if matches!(endpoint, Endpoint::All | Endpoint::Jwks) {
            self.jwks = fault.cloned();
        }
    }

    fn condition(&self, timeout: Millis) -> Condition {
        let of = |fault: &Option<Fault>| match fault {
            None | Some(Fault::WrongContentType) => Condition::Well(0),
            Some(Fault::Delay(time)) => Condition::Well(i64::try_from(time.0.as_millis()).unwrap_or(NEVER)),
            Some(Fault::Flap(_)) => Condition::Unclear,
            Some(_) => Condition::Bad,
        };
        match (of(&self.discovery), of(&self.jwks)) {
            _ if self.is_lying => Condition::Bad,
            (Condition::Bad, _) | (_, Condition::Bad) => Condition::Bad,
            // The copy may be of a time at which that was different.
            _ if self.lags && self.was_empty => Condition::Unclear,
            _ if self.is_empty => Condition::Bad,
            (Condition::Well(one), Condition::Well(other)) if one + other < timeout => {
                Condition::Well(one + other)
            }
            (Condition::Well(_), Condition::Well(_)) => Condition::Bad,
            (Condition::Unclear, _) | (_, Condition::Unclear) => Condition::Unclear,
        }
    }
}
