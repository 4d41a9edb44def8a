//! Holds what was seen against what was expected.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::drill::{ALL_STREAMS, LatencyBound, Phase};
use crate::expectation::Detail;
use crate::finding::Looked;
use crate::report::{About, Failure, PhaseReport, StreamReport};
use crate::subject::Facts;
use crate::tally::Tally;

/// What was seen of a phase.
pub(crate) struct Observed {
    pub(crate) tallies: BTreeMap<String, Tally>,
    pub(crate) asked: Asked,
    pub(crate) lasted: Duration,
    pub(crate) before: Option<Facts>,
    pub(crate) after: Option<Facts>,
    pub(crate) looked: Option<Looked>,
}

/// How often each issuer was asked, by its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// For its keys.
    pub(crate) keys: BTreeMap<String, u64>,
    /// What a token is worth.
    pub(crate) introspections: BTreeMap<String, u64>,
    /// For a token of the gateway's own.
    pub(crate) tokens: BTreeMap<String, u64>,
}

impl Asked {
    /// How often since then.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let since = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>| {
            let count =
                |issuer: &String, count: &u64| count.saturating_sub(then.get(issuer).copied().unwrap_or(0));
            now.iter().map(|(issuer, now)| (issuer.clone(), count(issuer, now))).collect()
        };
        Self {
            keys: since(&self.keys, &earlier.keys),
            introspections: since(&self.introspections, &earlier.introspections),
            tokens: since(&self.tokens, &earlier.tokens),
        }
    }
}

/// What time a drill ran in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Real,
    Virtual,
}

/// The report of each phase, in order.
pub(crate) fn judge(phases: &[Phase], observed: &[Observed], detail: Detail, pace: Pace) -> Vec<PhaseReport> {
    let by_name = |name: &str| {
        let place = phases.iter().position(|phase| phase.name == name)?;
        observed.get(place)
    };
    phases
        .iter()
        .zip(observed)
        .map(|(phase, seen)| {
            let mut failures = verdicts(phase, seen, detail);
            failures.extend(throughput(phase, seen));
            failures.extend(asked(phase, seen));
            let judged = phase.bounds.latency.as_ref().filter(|b| pace == Pace::Virtual || !b.waits_only);
            failures.extend(judged.and_then(|bound| {
                let reference = by_name(&bound.of)?;
                latency(bound, seen, reference)
            }));
            failures.extend(memory(phase, seen));
            if detail == Detail::Reason {
                failures.extend(gateway(phase, seen));
            }
            let misled = seen.looked.as_ref().filter(|looked| !looked.right);
            failures.extend(misled.map(|looked| failure(About::Doctor, looked.to_string())));
            PhaseReport {
                name: phase.name.clone(),
                failures,
                streams: seen.tallies.iter().map(|(n, tally)| (n.clone(), StreamReport::of(tally))).collect(),
                fetches: seen.asked.keys.clone(),
                doctor: seen.looked.clone(),
                memory_mib: seen.after.as_ref().and_then(|facts| facts.memory).map(mib),
                expectations: None,
            }
        })
        .collect()
}

fn failure(about: About, text: String) -> Failure {
    Failure { about, text }
}

fn verdicts(phase: &Phase, seen: &Observed, detail: Detail) -> Vec<Failure> {
    let none = Tally::default();
    let mut all = Tally::default();
    seen.tallies.values().for_each(|tally| all.merge(tally));
    let expected = phase.expect.iter().flat_map(|(stream, expectation)| {
        let of_stream = seen.tallies.get(stream).unwrap_or(&none);
        let tally = if stream == ALL_STREAMS { &all } else { of_stream };
        let failures = expectation.failures(tally, detail);
        failures.into_iter().map(move |text| failure(About::Verdicts, format!("{stream}: {text}")))
    });
    expected.collect()
}

fn throughput(phase: &Phase, seen: &Observed) -> Vec<Failure> {
    let bounds = phase.bounds.answered_per_second.iter();
    let missed = bounds.filter_map(|(stream, least)| {
        let tally = seen.tallies.get(stream);
        let answered = tally.map_or(0, |tally| {
            let unanswered = tally.count(|outcome| outcome == crate::seen::Outcome::Unanswered);
            tally.judged() + tally.unsettled() - unanswered
        });
        let rate = answered as f64 / seen.lasted.as_secs_f64().max(f64::EPSILON);
        (rate < *least).then(|| {
            let text = format!("{stream}: {rate:.0} requests/s were answered, expected {least:.0} or more");
            failure(About::Throughput, text)
        })
    });
    missed.collect()
}

fn asked(phase: &Phase, seen: &Observed) -> Vec<Failure> {
    let Asked { keys, introspections, tokens } = &seen.asked;
    let bounds = &phase.bounds;
    let bounded = [
        ("for its keys", &bounds.fetches, keys),
        ("what a token is worth", &bounds.introspections, introspections),
        ("for a token", &bounds.token_requests, tokens),
    ];
    let exceeded = bounded.into_iter().flat_map(|(what, bounds, asked)| {
        bounds.iter().filter_map(move |(issuer, most)| {
            let count = asked.get(issuer).copied().unwrap_or(0);
            (count > *most).then(|| {
                let text = format!("{issuer} was asked {what} {count} times, expected {most} at most");
                failure(About::Fetches, text)
            })
        })
    });
    exceeded.collect()
}

fn latency(bound: &LatencyBound, seen: &Observed, reference: &Observed) -> Option<Failure> {
    let p99 = |observed: &Observed| observed.tallies.get(&bound.stream)?.typical_p99();
    let (stream, of) = (&bound.stream, &bound.of);
    let Some((found, quiet)) = p99(seen).zip(p99(reference)) else {
        let text = format!("{stream}: there is nothing to hold its latency against");
        return Some(failure(About::Latency, text));
    };
    (found > quiet.mul_f64(bound.within)).then(|| {
        let within = bound.within;
        let text =
            format!("{stream}: p99 {found:.2?} in its median second, expected {within} times the {quiet:.2?} of {of:?} at most");
        failure(About::Latency, text)
    })
}

fn memory(phase: &Phase, seen: &Observed) -> Option<Failure> {
    let most = phase.bounds.memory_mib?;
    let held = seen.after.as_ref()?.memory.map(mib)?;
    (held > most as f64)
        .then(|| failure(About::Memory, format!("the gateway holds {held:.0} MiB, expected {most} at most")))
}

fn mib(octets: u64) -> f64 {
    octets as f64 / (1024.0 * 1024.0)
}

fn gateway(phase: &Phase, seen: &Observed) -> Vec<Failure> {
    let nothing = Facts::default();
    let (before, after) = (seen.before.as_ref().unwrap_or(&nothing), seen.after.as_ref().unwrap_or(&nothing));
    let failures = phase.gateway.failures(before, after).into_iter();
    failures.map(|text| failure(About::Gateway, text)).collect()
}
