//! Random kids, token ids and broken signatures: from a seed, so that a drill can be run again.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::{self, SystemRandom};

/// SplitMix64. It has to look random, not to withstand anyone: keys and signatures come from aws-lc.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

/// The odd number nearest to 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// With a seed that nobody knows.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the lab reads randomness, once when it starts"
    )]
    pub(crate) fn machine() -> Self {
        let mut octets = [0; 8];
        // aws-lc's generator has no failure that it reports: without a source of entropy it aborts.
        let _ = rand::fill(&mut octets);
        Self::seeded(u64::from_ne_bytes(octets))
    }

    pub(crate) fn number(&self) -> u64 {
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn octets(&self, count: usize) -> Vec<u8> {
        let mut octets = Vec::with_capacity(count + 8);
        while octets.len() < count {
            octets.extend_from_slice(&self.number().to_ne_bytes());
        }
        octets.truncate(count);
        octets
    }

    /// 32 hexadecimal digits.
    pub(crate) fn name(&self) -> String {
        let mut name = String::with_capacity(32);
        let _ = write!(name, "{:016x}{:016x}", self.number(), self.number());
        name
    }
}

/// What aws-lc-rs takes for ring's sake and never reads: signing draws from aws-lc's own generator.
#[expect(clippy::disallowed_methods, reason = "an argument that aws-lc-rs ignores")]
pub(crate) fn ignored_random() -> SystemRandom {
    SystemRandom::new()
}
