//! `keyward drill random`.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::thread;

use clap::Args;
use keyward_drill::schedule::{self, Violation};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// How many schedules are played where nothing is said.
const COUNT: u64 = 1000;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward drill random
  keyward drill random --seed 4711
  keyward drill random --seed 1001 --count 20000 --json

Each seed is a schedule of faults, rotations, restarts and requests. It is played to the library
and to providers in this process, on a clock that jumps from one deadline to the next. The same seed
is the same schedule and the same answers. --seed without --count plays that one and prints all that
happened.

Exit code 0: no promise was broken. 1: one was. 2: a schedule could not be played.")]
pub(crate) struct RandomArgs {
    /// The first seed. Default 1
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many seeds, from the first on. Default 1000, or 1 where a seed is given
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// How many are played at once. Default: as many as this machine has cores
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &RandomArgs) -> Result<Exit, Failure> {
    match (args.seed, args.count) {
        (Some(seed), None) => one(seed, args.json),
        (seed, count) => many(seed.unwrap_or(1), count.unwrap_or(COUNT), args),
    }
}

/// Plays one seed and prints all of it.
fn one(seed: u64, is_json: bool) -> Result<Exit, Failure> {
    let ran = schedule::run(seed).map_err(|cause| Failure::Schedule { seed, cause })?;
    let mut output = Output::stdout();
    if is_json {
        output.json(&json!({ "seed": seed, "trace": ran.trace(), "violations": &ran.violations }))?;
    } else {
        output.octets(ran.to_string().as_bytes())?;
        let verdict = match ran.violations.len() {
            0 => "no promise is broken".to_owned(),
            count => format!("{count} answers break a promise"),
        };
        output.line(format_args!("{} requests, {verdict}", ran.seen.len()))?;
        for violation in &ran.violations {
            output.line(format_args!("\n{violation}"))?;
        }
    }
    output.flush()?;
    Ok(if ran.violations.is_empty() { Exit::Yes } else { Exit::No })
}

/// What has come of many seeds so far.
#[derive(Default)]
struct Tally {
    played: u64,
    requests: usize,
    /// The first violation of each seed that has one.
    broken: Vec<Violation>,
    failure: Option<Failure>,
}

/// Plays many seeds and prints what was wrong.
fn many(seed: u64, count: u64, args: &RandomArgs) -> Result<Exit, Failure> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let tally = Mutex::new(Tally::default());
    let is_terminal = io::stderr().is_terminal();
    schedule::run_each(seed..seed.saturating_add(count), args.jobs.unwrap_or(cores), |seed, ran| {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match ran {
            Ok(ran) => {
                tally.played += 1;
                tally.requests += ran.seen.len();
                tally.broken.extend(ran.violations.into_iter().next());
            }
            Err(cause) => tally.failure = Some(Failure::Schedule { seed, cause }),
        }
        if is_terminal {
            // Where standard error cannot be written, nobody is left to be told.
            let (played, broken) = (tally.played, tally.broken.len());
            let _ = write!(io::stderr(), "\r\x1b[2K{played}/{count} played, {broken} broken");
        }
    });
    if is_terminal {
        let _ = write!(io::stderr(), "\r\x1b[2K");
    }
    let Tally { played, requests, mut broken, failure } =
        tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|violation| violation.seed);
    let failed = broken.len();
    let mut output = Output::stdout();
    if args.json {
        output.json(&json!({
            "first_seed": seed,
            "played": played,
            "requests": requests,
            "failed": failed,
            "violations": broken,
        }))?;
    } else {
        for violation in &broken {
            output.line(format_args!("{violation}\n"))?;
        }
        output.line(format_args!("{played} schedules with {requests} requests, {failed} failed"))?;
    }
    output.flush()?;
    match failure {
        Some(failure) => Err(failure),
        None if broken.is_empty() => Ok(Exit::Yes),
        None => Ok(Exit::No),
    }
}
