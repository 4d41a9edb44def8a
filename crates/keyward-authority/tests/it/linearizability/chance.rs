//! Chance that can be had again.

use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64. Clones go on together.
#[derive(Debug)]
pub(super) struct Chance(AtomicU64);

impl Chance {
    /// From `KEYWARD_SEED`, or new each time; it is printed, and shown where a test fails.
    pub(super) fn new(test: &str) -> Self {
        let seed = std::env::var("KEYWARD_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(keyward::entropy::seed);
        println!("{test}: KEYWARD_SEED={seed}");
        Self(AtomicU64::new(seed))
    }

    /// The chance of somebody else, who does not disturb this one.
    pub(super) fn another(&self) -> Self {
        Self(AtomicU64::new(self.next()))
    }

    /// Less than `end`.
    pub(super) fn below(&self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(super) fn next(&self) -> u64 {
        let mut word = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}
