//! How long calls take, as far as a hedge has to know.

use std::time::Duration;

/// So many calls are looked back on.
const SAMPLES: usize = 64;

/// Before so many were made, nobody knows what is slow.
const LEAST_SAMPLES: usize = 20;

/// Remembers how long the last calls took.
#[derive(Debug, Default)]
pub(super) struct Latency {
    samples: Vec<Duration>,
    next: usize,
    p95: Option<Duration>,
}

impl Latency {
    /// A call took this long.
    pub(super) fn took(&mut self, took: Duration) {
        match self.samples.get_mut(self.next) {
            Some(sample) => *sample = took,
            None => self.samples.push(took),
        }
        self.next = (self.next + 1) % SAMPLES;
        if self.samples.len() >= LEAST_SAMPLES {
            let mut sorted = self.samples.clone();
            sorted.sort_unstable();
            self.p95 = sorted.get(sorted.len() * 95 / 100).copied();
        }
    }

    /// What 95 of 100 calls did not exceed.
    pub(super) fn p95(&self) -> Option<Duration> {
        self.p95
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_known_after_twenty_calls_and_forgotten_after_sixty_four() {
        let mut latency = Latency::default();
        let millis = Duration::from_millis;
        (1..20).for_each(|number| latency.took(millis(number)));
        assert_eq!(latency.p95(), None);
        latency.took(millis(20));
        assert_eq!(latency.p95(), Some(millis(20)));
        (0..64).for_each(|_| latency.took(millis(3)));
        assert_eq!(latency.p95(), Some(millis(3)));
        (0..3).for_each(|_| latency.took(millis(500)));
        assert_eq!(latency.p95(), Some(millis(3)));
        latency.took(millis(500));
        assert_eq!(latency.p95(), Some(millis(500)));
    }
}
