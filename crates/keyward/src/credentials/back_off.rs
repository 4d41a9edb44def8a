//! How long to leave a provider alone that fails or refuses us.

use std::time::Duration;

use crate::entropy;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// The most that a provider's own wish counts for (RFC 9110 §10.2.3).
const WISH_LIMIT: Duration = Duration::from_secs(300);

/// Spreads times, the same way each time for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    seed: u64,
    drawn: u64,
}

impl Spread {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A duration between `low` and `high`.
    pub(super) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        self.drawn += 1;
        let fraction = (entropy::derived(self.seed, self.drawn) >> 11) as f64 / (1_u64 << 53) as f64;
        low + high.saturating_sub(low).mul_f64(fraction)
    }

    /// The wait after so many failures in a row: a second, doubling to a minute, and between half of it and all; at
    /// least what the provider asked for.
    pub(super) fn back_off(&mut self, failures: u32, wish: Option<Duration>) -> Duration {
        let doubled = FIRST.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX));
        let most = doubled.min(LAST);
        self.between(most / 2, most).max(wish.unwrap_or_default().min(WISH_LIMIT))
    }
}
