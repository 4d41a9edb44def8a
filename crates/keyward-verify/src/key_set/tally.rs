//! How often a key was used.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts verdicts, in several places, so that threads seldom meet at one.
#[derive(Debug, Default)]
pub(super) struct Tally {
    places: [Place; PLACES],
}

const PLACES: usize = 8;

/// A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Place {
    verdicts: AtomicU64,
    expired_wrapper: AtomicU64,
}

/// How many verdicts a key was used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyVerdicts {
    /// Tokens that it verified and that were accepted, or refused for its certificate alone.
    pub total: u64,
    /// Those of them that came while the certificate around the key was over.
    pub expired_wrapper: u64,
}

impl Tally {
    /// Counts one verdict. `place` is any number that differs between threads.
    pub(super) fn count(&self, place: usize, is_expired: bool) {
        if let Some(place) = self.places.get(place % PLACES) {
            place.verdicts.fetch_add(1, Ordering::Relaxed);
            if is_expired {
                place.expired_wrapper.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn sum(&self) -> KeyVerdicts {
        let mut sum = KeyVerdicts::default();
        for place in &self.places {
            // In this order, so that the part is never more than the whole.
            sum.expired_wrapper += place.expired_wrapper.load(Ordering::Acquire);
            sum.total += place.verdicts.load(Ordering::Relaxed);
        }
        sum
    }
}
