//! Our own credential goes wrong while traffic flows, and is mended. No user is blamed for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Error;
use super::introspection_cases::IntrospectionBench;
use super::issuers::Life;
use super::outcome::Outcome;

const ACCEPTED: &str = "200";
const REJECTED: &str = "503 introspection_credentials_rejected";

const REFUSED_CALLS: &str =
    "keyward_introspection_calls_total{issuer=\"tested\",outcome=\"credentials_rejected\"}";

/// Those that were under way, and one after each back-off: some providers lock out who insists.
const MOST_REFUSED_CALLS: f64 = 10.0;

/// How many ask, each about a token of its own.
const CLIENTS: usize = 4;

/// The file is looked at every two seconds, and a new one ends the back-off; the rest is for a busy machine.
const MENDED_WITHIN: Duration = Duration::from_secs(4);

/// How long anything else may take that is waited for.
const DEADLINE: Duration = Duration::from_secs(15);

/// What one client was answered.
#[derive(Debug, Default)]
struct Traffic {
    counts: BTreeMap<String, usize>,
    /// The same answer so many times in a row.
    last: (String, usize),
}

/// Traffic flows; the credential is made wrong, all are asked to come back, it is mended, all pass.
pub(crate) fn secret_wrong_and_mended(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let (traffic, mended) = under_traffic(bench, |traffic| {
        let began = wait_until(traffic, ACCEPTED);
        bench.replace_credential(&bench.access.wrong)?;
        // What was obtained with the right one serves on while it is accepted.
        bench.provider.drop_bearers()?;
        let went_wrong = wait_until(traffic, REJECTED);
        bench.replace_credential(&bench.access.right)?;
        let mended = wait_until(traffic, ACCEPTED);
        Ok(began.and(went_wrong).and(mended))
    })?;
    let refused = bench.gateway.metric(REFUSED_CALLS)?;
    let mut measured = shown(&traffic);
    match mended {
        Some(took) => measured.push_str(&format!("; mended within {:.1} s", took.as_secs_f64())),
        None => measured.push_str("; the traffic did not get that far"),
    }
    measured.push_str(&format!("; calls refused: {refused}"));
    let passed = mended.is_some_and(|took| took <= MENDED_WITHIN)
        && (1.0..=MOST_REFUSED_CALLS).contains(&refused)
        && knows_only(&traffic, &[ACCEPTED, REJECTED]);
    Ok(Outcome { measured, passed })
}

/// Traffic flows; the provider takes back the bearer that the gateway has obtained, and it obtains another one.
pub(crate) fn bearer_revoked(bench: &IntrospectionBench<'_>) -> Result<Outcome, Error> {
    let (traffic, dropped) = under_traffic(bench, |traffic| {
        let began = wait_until(traffic, ACCEPTED);
        let dropped = bench.provider.drop_bearers()?;
        // By then every answer that was remembered before is over.
        thread::sleep(Duration::from_secs(3));
        Ok(began.map_or(0, |_| dropped))
    })?;
    let measured = format!("{}; bearers revoked: {dropped}", shown(&traffic));
    Ok(Outcome { measured, passed: dropped > 0 && knows_only(&traffic, &[ACCEPTED]) })
}

/// Does `steps` while clients ask; what they were answered, and what `steps` came to.
fn under_traffic<T>(
    bench: &IntrospectionBench<'_>,
    steps: impl FnOnce(&[Mutex<Traffic>]) -> Result<T, Error>,
) -> Result<(Vec<Traffic>, T), Error> {
    let tokens = (0..CLIENTS).map(|_| bench.provider.token(Life::Long)).collect::<Result<Vec<_>, _>>()?;
    let stop = AtomicBool::new(false);
    let traffic: Vec<Mutex<Traffic>> = tokens.iter().map(|_| Mutex::default()).collect();
    let outcome = thread::scope(|scope| {
        let clients = tokens.iter().zip(&traffic);
        let threads: Vec<_> =
            clients.map(|(token, traffic)| scope.spawn(|| drive(bench, token, traffic, &stop))).collect();
        let outcome = steps(&traffic);
        stop.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap_or(Err(Error::Token { why: "the traffic panicked" }))?;
        }
        outcome
    })?;
    let traffic = traffic.into_iter().map(|traffic| traffic.into_inner().unwrap_or_default());
    Ok((traffic.collect(), outcome))
}

fn drive(
    bench: &IntrospectionBench<'_>,
    token: &str,
    traffic: &Mutex<Traffic>,
    stop: &AtomicBool,
) -> Result<(), Error> {
    while !stop.load(Ordering::SeqCst) {
        let answer = bench.gateway.ask("/", token)?.to_string();
        lock(traffic).take_in(answer);
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Waits until every client was given this answer ten times in a row, and says how long that took.
fn wait_until(traffic: &[Mutex<Traffic>], answer: &str) -> Option<Duration> {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if traffic.iter().all(|traffic| lock(traffic).is_steady(answer)) {
            return Some(started.elapsed());
        }
        thread::sleep(Duration::from_millis(20));
    }
    None
}

fn knows_only(traffic: &[Traffic], answers: &[&str]) -> bool {
    traffic.iter().flat_map(|traffic| traffic.counts.keys()).all(|answer| answers.contains(&answer.as_str()))
}

fn shown(traffic: &[Traffic]) -> String {
    let mut counts = BTreeMap::new();
    for (answer, count) in traffic.iter().flat_map(|traffic| &traffic.counts) {
        *counts.entry(answer).or_insert(0) += count;
    }
    counts.iter().map(|(answer, count)| format!("{count} times {answer}")).collect::<Vec<_>>().join(", ")
}

impl Traffic {
    fn take_in(&mut self, answer: String) {
        *self.counts.entry(answer.clone()).or_default() += 1;
        if self.last.0 == answer {
            self.last.1 += 1;
        } else {
            self.last = (answer, 1);
        }
    }

    fn is_steady(&self, answer: &str) -> bool {
        self.last.0 == answer && self.last.1 >= 10
    }
}

fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}
