//! Plays schedules.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use keyward::IssuerSettings;
use keyward_lab::Lab;
use keyward_lab::fault::Endpoint;
use keyward_lab::plan::{IssuerPlan, KeyPlan, LabPlan};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::duration;
use super::plan::{Event, Millis, PlannedIssuer, Schedule, Token};
use super::truth::{Broken, Truth, clock};
use super::violation::Violation;
use crate::drill::{GatewayStep, Header};
use crate::engine::VIRTUAL_WALL;
use crate::error::RunError;
use crate::seen::{Outcome, Seen};
use crate::subject::{Library, Subject};

/// How many lines of the trace stand before a violation.
const RECENT: usize = 20;

/// A schedule that was played.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What was planned.
    pub schedule: Schedule,
    /// What was answered, by the requests' numbers.
    pub seen: Vec<Seen>,
    /// The promises that were broken, in the order of time.
    pub violations: Vec<Violation>,
}

/// Plays the schedule of a seed to the library, on a runtime of its own whose clock is paused.
///
/// # Errors
/// [`RunError`] where it cannot be played, which breaks no promise.
pub fn run(seed: u64) -> Result<Ran, RunError> {
    run_with(seed, |lab, schedule| {
        Library::with_settings(settings(lab, schedule), schedule.snapshots, lab, VIRTUAL_WALL, seed)
    })
}

/// Plays the schedules of many seeds, `jobs` at once, and hands in each as it is over.
pub fn run_each(
    seeds: impl Iterator<Item = u64> + Send,
    jobs: usize,
    over: impl Fn(u64, Result<Ran, RunError>) + Sync,
) {
    let seeds = Mutex::new(seeds);
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    over(seed, run(seed));
                }
            });
        }
    });
}

/// The same with another subject.
pub(super) fn run_with<S: Subject>(
    seed: u64,
    subject: impl FnOnce(&Lab, &Schedule) -> Result<S, RunError>,
) -> Result<Ran, RunError> {
    let schedule = Schedule::of_seed(seed);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let played = runtime.map_err(RunError::io("start a runtime"))?.block_on(async {
        let lab = Lab::in_memory(&plan(&schedule), VIRTUAL_WALL, seed)?;
        let subject = Arc::new(subject(&lab, &schedule)?);
        play(&schedule, &lab, subject).await
    })?;
    let mut ran = Ran { schedule, seen: played.seen, violations: Vec::new() };
    ran.violations = ran.judge(&played.fetches_before, &played.fetches);
    Ok(ran)
}

/// What came of a schedule.
struct Played {
    /// By the requests' numbers.
    seen: Vec<Seen>,
    /// How many fetches there had been of the issuer's keys when the request came, by its number.
    fetches_before: Vec<u64>,
    /// How many there were in the end, by issuer.
    fetches: Vec<u64>,
}

pub(super) fn settings(lab: &Lab, schedule: &Schedule) -> Vec<IssuerSettings> {
    let of = |planned: &PlannedIssuer| {
        let mut settings = IssuerSettings::discover(&lab.issuer(&planned.name)?.issuer).named(&planned.name);
        settings.key_set.ttl = duration(planned.ttl);
        settings.key_set.stale_limit = duration(planned.stale_limit);
        settings.fetch_timeout = duration(planned.timeout);
        Some(settings)
    };
    schedule.issuers.iter().filter_map(of).collect()
}

fn plan(schedule: &Schedule) -> LabPlan {
    let of = |planned: &PlannedIssuer| {
        let kid = format!("{}-1", planned.name);
        let key = KeyPlan::named(kid);
        let cache_control = planned.max_age.map(|seconds| format!("max-age={seconds}"));
        (planned.name.clone(), IssuerPlan { keys: vec![key], cache_control, ..IssuerPlan::default() })
    };
    LabPlan { issuer: schedule.issuers.iter().map(of).collect() }
}

/// How many times its set was fetched, or its discovery document before that.
fn fetches(lab: &Lab, issuer: &str) -> u64 {
    let counts = lab.counts(issuer);
    let asked = [Endpoint::Discovery, Endpoint::Jwks]
        .map(|endpoint| counts.get(&endpoint).map_or(0, |c| c.connections));
    asked.into_iter().max().unwrap_or(0)
}

async fn play<S: Subject>(schedule: &Schedule, lab: &Lab, subject: Arc<S>) -> Result<Played, RunError> {
    let origin = Instant::now();
    let mut tokens: Vec<Arc<str>> = Vec::new();
    let mut fetches_before = Vec::new();
    let mut asking = JoinSet::new();
    for (at, event) in &schedule.events {
        sleep_until(origin + duration(*at)).await;
        match event {
            Event::Ask(ask) => {
                let name = schedule.issuer_name(ask.issuer);
                fetches_before.push(fetches(lab, name));
                let token = match &ask.token {
                    Token::Again(number) => tokens.get(*number).cloned().unwrap_or_default(),
                    Token::New(mint) => {
                        let made = lab.token(Some(name), &mint.plan());
                        made.map_err(|cause| RunError::Token { stream: name.to_owned(), cause })?.into()
                    }
                };
                let (number, subject) = (tokens.len(), Arc::clone(&subject));
                tokens.push(Arc::clone(&token));
                asking.spawn(async move {
                    let asked = Instant::now();
                    let outcome = subject.ask(&token, Header::Kept).await;
                    (number, Seen { outcome, took: asked.elapsed() })
                });
            }
            // There may be no snapshot yet that could be damaged.
            Event::Gateway(step @ GatewayStep::Snapshot(_)) => drop(subject.step(step).await),
            Event::Gateway(step) => subject.step(step).await?,
            Event::Provider(command) => {
                let obeyed = lab.obey(command).await;
                obeyed.map_err(|cause| RunError::Command { phase: clock(*at), cause })?;
            }
        }
    }
    sleep_until(origin + duration(schedule.ends)).await;
    let mut seen = asking.join_all().await;
    seen.sort_by_key(|(number, _)| *number);
    Ok(Played {
        seen: seen.into_iter().map(|(_, seen)| seen).collect(),
        fetches_before,
        fetches: schedule.issuers.iter().map(|issuer| fetches(lab, &issuer.name)).collect(),
    })
}

impl Ran {
    /// What happened, a line each.
    pub fn trace(&self) -> Vec<String> {
        let mut seen = self.seen.iter().enumerate();
        let line = |(at, event): &(Millis, Event)| {
            let happened = match event {
                Event::Ask(ask) => match seen.next() {
                    Some((number, seen)) => {
                        let name = self.schedule.issuer_name(ask.issuer);
                        format!("#{number} {name}: {ask} -> {}", answer(*seen))
                    }
                    None => ask.to_string(),
                },
                Event::Gateway(_) | Event::Provider(_) => event.to_string(),
            };
            format!("{:>12}  {happened}", clock(*at))
        };
        self.schedule.events.iter().map(line).collect()
    }

    fn judge(&self, fetches_before: &[u64], fetches: &[u64]) -> Vec<Violation> {
        let truth = Truth::of(&self.schedule);
        let ends = self.schedule.ends;
        let asks = self.schedule.asks().enumerate();
        let asked = asks.zip(&self.seen).filter_map(|((number, (at, ask)), seen)| {
            let name = self.schedule.issuer_name(ask.issuer);
            let answered = truth.judge(number, *seen).map(|broken| (broken, answer(*seen)));
            let (broken, found) = answered.or_else(|| truth.judge_burst(number, fetches_before))?;
            Some(self.violation(at, broken, format!("#{number} {name}: {ask}"), found))
        });
        let fetched = fetches.iter().enumerate().filter_map(|(issuer, fetches)| {
            let broken = truth.judge_fetches(issuer, *fetches, ends)?;
            let request = format!("{}: its keys are fetched", self.schedule.issuer_name(issuer));
            Some(self.violation(ends, broken, request, format!("{fetches} fetches")))
        });
        asked.chain(fetched).collect()
    }

    fn violation(&self, at: Millis, broken: Broken, request: String, found: String) -> Violation {
        let Broken { promise, allowed } = broken;
        let trace = self.trace();
        let past = self.schedule.events.iter().take_while(|(time, _)| *time <= at).count();
        let recent = trace.into_iter().take(past).skip(past.saturating_sub(RECENT)).collect();
        Violation { seed: self.schedule.seed, at, promise, request, allowed, found, recent }
    }
}

impl fmt::Display for Ran {
    /// The whole trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.schedule.fmt(f)?;
        self.trace().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn answer(seen: Seen) -> String {
    match (seen.outcome, seen.took.as_millis()) {
        (Outcome::Unanswered, _) => "no answer".to_owned(),
        (outcome, 0) => outcome.label().to_owned(),
        (outcome, took) => format!("{} after {took} ms", outcome.label()),
    }
}
