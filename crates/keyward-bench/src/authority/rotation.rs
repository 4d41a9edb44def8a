//! How long a token takes while keys are replaced, against how long it takes while they stay.

use std::fs;
use std::time::{Duration, Instant};

use super::requests::{client_credentials, published_keys};
use super::site::Rotating;
use crate::Failure;
use crate::interleave::median;
use crate::load::Connection;
use crate::row::Rows;

const TURN: Duration = Duration::from_secs(2);

/// How often keys are replaced in a turn of theirs: each time one begins to sign and one is published.
const REPLACED_EVERY: Duration = Duration::from_millis(1000);

const ROUNDS: usize = 16;

/// "No worse", and what the clock and the machine make of a p99 from turn to turn.
const MOST: f64 = 1.05;

pub(super) fn measure(rows: &mut Rows, rotating: &Rotating) -> Result<(), Failure> {
    let request = client_credentials(&rotating.authority)?;
    let mut connection = Connection::open(rotating.authority.address()?)?;
    let keys = published_keys(&rotating.authority)?;
    let mut behind = rotating.behind;
    let mut turn = |replaces: bool| -> Result<f64, Failure> {
        let (started, mut replaced, mut times) = (Instant::now(), None::<Instant>, Vec::new());
        while started.elapsed() < TURN {
            if replaces && replaced.is_none_or(|at| at.elapsed() >= REPLACED_EVERY) {
                behind -= rotating.step;
                pass(rotating, behind)?;
                replaced = Some(Instant::now());
            }
            let asked = Instant::now();
            connection.send(&request)?;
            connection.receive()?;
            times.push(asked.elapsed().as_secs_f64() * 1e6);
        }
        Ok(p99(times))
    };
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let turns = [turn(false)?, turn(true)?, turn(false)?];
        // The first one warms up.
        if round > 0 {
            rounds.push(turns);
        }
    }
    let replaced = published_keys(&rotating.authority)?.saturating_sub(keys);
    if replaced < ROUNDS {
        return Err(format!("only {replaced} keys came while keys were replaced").into());
    }
    let middle = |of: fn(&[f64; 3]) -> f64| median(rounds.iter().map(of).collect());
    let note = format!(
        "  ({:.0} µs to {:.0} µs at p99, over {replaced} new keys; two turns without: {:.3})",
        middle(|[_, with, _]| *with),
        middle(|[without, ..]| *without),
        middle(|[before, _, after]| after / before),
    );
    // What comes after has the keys that came, so both turns without are what one with is held against.
    let ratio = middle(|[before, with, after]| 2.0 * with / (before + after));
    rows.at_most("authority-rotation-p99", ratio, MOST, &note);
    Ok(())
}

fn pass(rotating: &Rotating, behind: i64) -> Result<(), Failure> {
    let written = rotating.time_file.with_extension("new");
    fs::write(&written, format!("{:+}s\n", -behind))?;
    Ok(fs::rename(&written, &rotating.time_file)?)
}

fn p99(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}
