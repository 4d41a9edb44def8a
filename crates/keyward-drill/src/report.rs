//! What drills came to, for a person, for a program and for a CI server.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::drill::Drill;
use crate::error::RunError;
use crate::finding::Looked;
use crate::tally::Tally;

/// All drills of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How many passed.
    pub passed: usize,
    /// How many failed, or could not be run to their end.
    pub failed: usize,
    /// How many cannot be run in this mode.
    pub not_applicable: usize,
    /// Each.
    pub drills: Vec<DrillReport>,
}

impl Report {
    /// Counts.
    pub fn new(drills: Vec<DrillReport>) -> Self {
        let count = |wanted| drills.iter().filter(|drill| drill.result == wanted).count();
        Self {
            passed: count(Result::Passed),
            failed: count(Result::Failed) + count(Result::Broken),
            not_applicable: count(Result::NotApplicable),
            drills,
        }
    }
}

/// What a drill came to.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// It could not be run to its end.
    Broken,
    /// Something was not as it should be.
    Failed,
    /// It cannot be run in this mode.
    NotApplicable,
    /// All was as it should be.
    Passed,
}

/// One drill.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// Which.
    pub name: String,
    /// In one line.
    pub title: String,
    /// The incidents that it replays.
    pub incidents: Vec<String>,
    /// What it came to.
    pub result: Result,
    /// Why it could not be run, where it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What of it was left out here, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// How long it took by the clock of this machine, in seconds.
    pub took_seconds: f64,
    /// How many times it was run: more than once where only its latency was out of bounds.
    pub attempts: u32,
    /// Its phases, in order.
    pub phases: Vec<PhaseReport>,
}

/// One phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseReport {
    /// Which.
    pub name: String,
    /// What was not as it should be; nothing where all was.
    pub failures: Vec<Failure>,
    /// What was seen of each stream.
    pub streams: BTreeMap<String, StreamReport>,
    /// How many times each issuer was asked for its keys.
    pub fetches: BTreeMap<String, u64>,
    /// What the doctor found at its end, where one looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doctor: Option<Looked>,
    /// The gateway's memory at the end, in MiB, where it can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<f64>,
    /// How often what was seen was held against what is right, in drills of the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expectations: Option<u64>,
}

/// Something that was not as it should be.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Failure {
    /// What kind of thing.
    pub about: About,
    /// In words, with what was expected.
    pub text: String,
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// What the doctor named first.
    Doctor,
    /// What the authority did, or says of itself.
    Authority,
    /// How often the provider was asked.
    Fetches,
    /// What the gateway says of itself.
    Gateway,
    /// How long answers took.
    Latency,
    /// How much memory was held.
    Memory,
    /// How many requests were answered.
    Throughput,
    /// What was decided.
    Verdicts,
}

/// What was seen of one stream in one phase.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// How many answers were judged.
    pub judged: u64,
    /// How many came while the phase settled.
    pub unsettled: u64,
    /// How many were not sent, because too many were open.
    pub held_back: u64,
    /// The judged ones by what they came to: `accept`, `unanswered`, or the kind or the reason of another verdict.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// The median time, in milliseconds.
    pub p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
}

impl StreamReport {
    pub(crate) fn of(tally: &Tally) -> Self {
        let [p50, p99, max] = tally.quantiles([0.5, 0.99, 1.0]).unwrap_or_default();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        Self {
            judged: tally.judged(),
            unsettled: tally.unsettled(),
            held_back: tally.held_back(),
            outcomes: tally.outcomes().map(|(outcome, count)| (outcome.label(), count)).collect(),
            p50_ms: ms(p50),
            p99_ms: ms(p99),
            max_ms: ms(max),
        }
    }
}

impl DrillReport {
    /// One that ran to its end.
    pub(crate) fn ran(drill: &Drill, phases: Vec<PhaseReport>, took: Duration) -> Self {
        let is_well = phases.iter().all(|phase| phase.failures.is_empty());
        let result = if is_well { Result::Passed } else { Result::Failed };
        Self { took_seconds: took.as_secs_f64(), phases, ..Self::new(drill, result, None) }
    }

    /// One that did not.
    pub(crate) fn broken(drill: &Drill, error: &RunError) -> Self {
        Self::new(drill, Result::Broken, Some(error.to_string()))
    }

    /// One that was not run.
    pub(crate) fn not_applicable(drill: &Drill, reason: String) -> Self {
        Self::new(drill, Result::NotApplicable, Some(reason))
    }

    fn new(drill: &Drill, result: Result, reason: Option<String>) -> Self {
        Self {
            name: drill.name.clone(),
            title: drill.title.clone(),
            incidents: drill.incidents.clone(),
            result,
            reason,
            left_out: None,
            took_seconds: 0.0,
            attempts: 1,
            phases: Vec::new(),
        }
    }

    pub(crate) fn after(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Whether it would have passed on a quieter machine.
    pub(crate) fn fails_by_latency_alone(&self) -> bool {
        self.failures().all(|(_, failure)| failure.about == About::Latency)
    }

    /// What was not as it should be, with the name of the phase.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &Failure)> {
        self.phases
            .iter()
            .flat_map(|phase| phase.failures.iter().map(|failure| (phase.name.as_str(), failure)))
    }
}
