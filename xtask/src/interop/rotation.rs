//! Keys rotated at the issuer while requests flow: no valid token is refused, and the first one under a new
//! key is accepted on the very request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Error;
use super::gateway::Answer;
use super::issuer_cases::IssuerBench;
use super::issuers::published_kids;
use super::outcome::Outcome;
use super::token::Token;

/// How many requests under the old and under the new keys each algorithm needs to have made.
const ENOUGH: usize = 25;

/// How long the traffic may take to make them. lemonldap-ng looks for new keys once a second.
const DEADLINE: Duration = Duration::from_secs(30);

/// What one thread has seen so far, of one algorithm.
#[derive(Debug, Default)]
struct Traffic {
    accepted: usize,
    /// Accepted tokens under a key other than the first one.
    accepted_new: usize,
    /// How long the first request under the new key took.
    first_new: Option<Duration>,
    /// Refused under a key that the issuer no longer publishes: its own doing.
    withdrawn: usize,
    /// Refused although the issuer publishes the key.
    refused: Vec<String>,
    /// Times that the issuer gave no token.
    issuer_failures: usize,
}

/// Drives every algorithm in a thread of its own, rotates in the middle.
pub(crate) fn rotation(bench: &IssuerBench<'_>) -> Result<Outcome, Error> {
    let stop = AtomicBool::new(false);
    let traffic: Vec<Mutex<Traffic>> = bench.issuer.algorithms().iter().map(|_| Mutex::default()).collect();
    let rotated = thread::scope(|scope| {
        let threads: Vec<_> = bench
            .issuer
            .algorithms()
            .iter()
            .zip(&traffic)
            .map(|(algorithm, traffic)| scope.spawn(|| drive(bench, algorithm, traffic, &stop)))
            .collect();
        wait_for(&traffic, |traffic| traffic.accepted >= ENOUGH);
        let rotated = bench.issuer.rotate();
        if rotated.is_ok() {
            wait_for(&traffic, |traffic| traffic.accepted_new >= ENOUGH);
        }
        stop.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap_or(Err(Error::Token { why: "the traffic panicked" }))?;
        }
        rotated
    });
    rotated?;
    let traffic = traffic.into_iter().map(|traffic| traffic.into_inner().unwrap_or_default());
    Ok(judge(&traffic.collect::<Vec<_>>()))
}

/// Asks about fresh tokens, and about the first one again and again, until told to stop.
fn drive(
    bench: &IssuerBench<'_>,
    algorithm: &str,
    traffic: &Mutex<Traffic>,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let first = bench.issuer.token(algorithm)?;
    let old_kid = first.header("kid")?;
    while !stop.load(Ordering::SeqCst) {
        ask(bench, &first, &old_kid, traffic)?;
        match bench.issuer.token(algorithm) {
            Ok(fresh) => ask(bench, &fresh, &old_kid, traffic)?,
            Err(_) => lock(traffic).issuer_failures += 1,
        }
    }
    Ok(())
}

fn ask(bench: &IssuerBench<'_>, token: &Token, old_kid: &str, traffic: &Mutex<Traffic>) -> Result<(), Error> {
    let kid = token.header("kid")?;
    let asked = Instant::now();
    let answer = bench.gateway.ask("/", token)?;
    let took = asked.elapsed();
    let withdrawn = answer.status != 200 && was_withdrawn(bench, &kid, &answer);
    let mut traffic = lock(traffic);
    if kid != old_kid {
        traffic.first_new.get_or_insert(took);
    }
    if answer.status == 200 {
        traffic.accepted += 1;
        traffic.accepted_new += usize::from(kid != old_kid);
    } else if withdrawn {
        traffic.withdrawn += 1;
    } else {
        traffic.refused.push(answer.to_string());
    }
    Ok(())
}

/// Whether the issuer itself says that the key is gone, and the gateway gives that as its reason: it looked for
/// the key and did not find it, or did so a moment ago and looks again later.
fn was_withdrawn(bench: &IssuerBench<'_>, kid: &String, answer: &Answer) -> bool {
    matches!(answer.reason.as_str(), "unknown_kid" | "key_refresh_limited")
        && published_kids(&bench.http, &bench.issuer.jwks_uri()).is_ok_and(|kids| !kids.contains(kid))
}

fn wait_for(traffic: &[Mutex<Traffic>], enough: fn(&Traffic) -> bool) {
    let started = Instant::now();
    while started.elapsed() < DEADLINE && !traffic.iter().all(|traffic| enough(&lock(traffic))) {
        thread::sleep(Duration::from_millis(20));
    }
}

fn judge(traffic: &[Traffic]) -> Outcome {
    let sum = |count: fn(&Traffic) -> usize| traffic.iter().map(count).sum::<usize>();
    let refused: Vec<&String> = traffic.iter().flat_map(|traffic| &traffic.refused).collect();
    let slowest = traffic.iter().filter_map(|traffic| traffic.first_new).max().unwrap_or_default();
    let enough = traffic.iter().all(|traffic| traffic.accepted_new >= ENOUGH);
    let mut measured = format!(
        "{} accepted, {} of them under new keys, the first within {} ms",
        sum(|traffic| traffic.accepted),
        sum(|traffic| traffic.accepted_new),
        slowest.as_millis(),
    );
    if let Some(first) = refused.first() {
        measured.push_str(&format!("; {} REFUSED ({first})", refused.len()));
    }
    if !enough {
        measured.push_str("; too few under new keys");
    }
    for (count, what) in [
        (sum(|traffic| traffic.withdrawn), "withdrawn by the issuer"),
        (sum(|traffic| traffic.issuer_failures), "not issued"),
    ] {
        if count > 0 {
            measured.push_str(&format!("; {count} {what}"));
        }
    }
    Outcome { measured, passed: refused.is_empty() && enough }
}

fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}
