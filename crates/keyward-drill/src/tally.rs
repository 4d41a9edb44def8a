//! What came of one stream in one phase, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::seen::{Outcome, Seen};

/// Counts of outcomes, and how long they took.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Outcome, u64>,
    /// In microseconds, by the second of the phase in which each was sent: 4 octets a request, of which a drill
    /// sends some hundred thousand.
    latencies: BTreeMap<u64, Vec<u32>>,
    unsettled: u64,
    held_back: u64,
}

impl Tally {
    /// Counts what is judged, and was sent so long after the phase began.
    pub fn add(&mut self, sent: Duration, seen: Seen) {
        *self.counts.entry(seen.outcome).or_default() += 1;
        let micros = u32::try_from(seen.took.as_micros()).unwrap_or(u32::MAX);
        self.latencies.entry(sent.as_secs()).or_default().push(micros);
    }

    /// Counts what another stream came to as well.
    pub fn merge(&mut self, other: &Self) {
        for (outcome, count) in &other.counts {
            *self.counts.entry(*outcome).or_default() += count;
        }
        for (second, latencies) in &other.latencies {
            self.latencies.entry(*second).or_default().extend(latencies);
        }
        self.unsettled += other.unsettled;
        self.held_back += other.held_back;
    }

    /// Counts what came while the phase settled.
    pub fn add_unsettled(&mut self) {
        self.unsettled += 1;
    }

    /// Counts what was not sent, because too many are open.
    pub fn hold_back(&mut self) {
        self.held_back += 1;
    }

    /// How many were not sent.
    pub fn held_back(&self) -> u64 {
        self.held_back
    }

    /// How many are judged.
    pub fn judged(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many came while the phase settled.
    pub fn unsettled(&self) -> u64 {
        self.unsettled
    }

    /// How many came to what is asked for.
    pub fn count(&self, is_asked_for: impl Fn(Outcome) -> bool) -> u64 {
        self.counts.iter().filter(|(outcome, _)| is_asked_for(**outcome)).map(|(_, count)| count).sum()
    }

    /// Every outcome that there was.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        self.counts.iter().map(|(outcome, count)| (*outcome, *count))
    }

    /// The times within which these shares were answered, each from 0 to 1; none where nothing was.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> Option<[Duration; N]> {
        quantiles(self.latencies.values().flatten().copied().collect(), shares)
    }

    /// The median, over the seconds of the phase, of the 99th percentile of each. What else this machine does for a
    /// second or two does not move it; what the phase is about does.
    pub fn typical_p99(&self) -> Option<Duration> {
        let of_second = |latencies: &Vec<u32>| {
            let [p99] = quantiles(latencies.clone(), [0.99])?;
            u32::try_from(p99.as_micros()).ok()
        };
        let [median] = quantiles(self.latencies.values().filter_map(of_second).collect(), [0.5])?;
        Some(median)
    }
}

/// Of times in microseconds.
fn quantiles<const N: usize>(mut times: Vec<u32>, shares: [f64; N]) -> Option<[Duration; N]> {
    times.sort_unstable();
    let last = times.len().checked_sub(1)?;
    Some(shares.map(|share| {
        let place = (share.clamp(0.0, 1.0) * last as f64).ceil() as usize;
        Duration::from_micros(times.get(place).copied().unwrap_or(u32::MAX).into())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let mut tally = Tally::default();
        assert_eq!(tally.quantiles([0.5]), None);
        for millis in (1..=100).rev() {
            let sent = Duration::from_millis(millis);
            tally.add(sent, Seen { outcome: Outcome::Accept, took: Duration::from_millis(millis) });
        }
        let times = tally.quantiles([0.0, 0.5, 0.99, 1.0]).unwrap();
        assert_eq!(times.map(|time| time.as_millis()), [1, 51, 100, 100]);
    }

    #[test]
    fn one_bad_second_is_not_typical_and_a_bad_phase_is() {
        let p99 = |bad: std::ops::Range<u64>| {
            let mut tally = Tally::default();
            for second in 0..5 {
                let took = Duration::from_millis(if bad.contains(&second) { 100 } else { 1 });
                (0..50).for_each(|_| {
                    tally.add(Duration::from_secs(second), Seen { outcome: Outcome::Accept, took });
                });
            }
            tally.typical_p99().unwrap().as_millis()
        };
        assert_eq!([p99(0..0), p99(2..3), p99(1..4)], [1, 1, 100]);
    }
}
