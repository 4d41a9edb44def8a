//! Times several things in turn, over and over, so that the machine's moods fall on all of them alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// The time of one call of each, in seconds: the median over the rounds.
pub(crate) struct Timed {
    rounds: Vec<Vec<f64>>,
}

/// How many rounds; each takes about [`BATCH`] for each thing.
const ROUNDS: usize = 300;

/// Long enough for the clock, short enough that the machine does not change within a round.
const BATCH: Duration = Duration::from_millis(2);

impl Timed {
    /// Times `things` in turn.
    pub(crate) fn run(things: &mut [&mut dyn FnMut()]) -> Self {
        let sizes: Vec<u32> = things.iter_mut().map(|thing| batch_size(*thing)).collect();
        let mut rounds = vec![Vec::with_capacity(ROUNDS); things.len()];
        for _ in 0..ROUNDS {
            for ((thing, size), times) in things.iter_mut().zip(&sizes).zip(&mut rounds) {
                let started = Instant::now();
                for _ in 0..*size {
                    black_box(&mut *thing)();
                }
                times.push(started.elapsed().as_secs_f64() / f64::from(*size));
            }
        }
        Self { rounds }
    }

    /// The median of the ratios of one thing to another, round by round.
    pub(crate) fn ratio(&self, of: usize, to: usize) -> f64 {
        let (Some(of), Some(to)) = (self.rounds.get(of), self.rounds.get(to)) else {
            return f64::NAN;
        };
        median(of.iter().zip(to).map(|(of, to)| of / to).collect())
    }

    /// The median time of one thing, in microseconds.
    pub(crate) fn micros(&self, of: usize) -> f64 {
        self.rounds.get(of).map_or(f64::NAN, |times| median(times.clone()) * 1e6)
    }
}

/// The middle one.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn batch_size(thing: &mut dyn FnMut()) -> u32 {
    let mut size = 1_u32;
    loop {
        let started = Instant::now();
        for _ in 0..size {
            thing();
        }
        if started.elapsed() >= BATCH {
            return size;
        }
        size = size.saturating_mul(2);
    }
}
