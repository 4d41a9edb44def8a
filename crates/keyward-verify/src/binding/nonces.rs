//! Nonces that we hand out and remember nothing of (RFC 9449 §8, §9).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};
use base64_simd::URL_SAFE_NO_PAD;

use crate::UnixTime;

/// Nonces by which a client shows that it made its proof just now: an HMAC over a slot of time.
///
/// One of this slot and one of the slot before are good, so that each lives for one to two slots. Processes that share
/// the secret take each other's.
pub struct Nonces {
    key: hmac::Key,
    slot: Duration,
}

/// Half of the HMAC: 128 bits that nobody guesses.
const OCTETS: usize = 16;

impl Nonces {
    /// By this secret, which should be random. `slot` counts in whole seconds, of which it takes at least one.
    pub fn new(secret: &[u8; 32], slot: Duration) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), slot }
    }

    /// The nonce to hand out: 22 characters of base64url.
    pub fn current(&self, now: UnixTime) -> String {
        URL_SAFE_NO_PAD.encode_to_string(self.of_slot(self.slot_at(now)))
    }

    /// Whether a nonce is of this slot or of the one before. In constant time.
    pub fn accepts(&self, now: UnixTime, nonce: &str) -> bool {
        let slot = self.slot_at(now);
        let is_of = |slot| {
            let right = URL_SAFE_NO_PAD.encode_to_string(self.of_slot(slot));
            constant_time::verify_slices_are_equal(right.as_bytes(), nonce.as_bytes()).is_ok()
        };
        // Both are made, so that the time does not tell which one it was.
        is_of(slot) | is_of(slot.wrapping_sub(1))
    }

    fn slot_at(&self, now: UnixTime) -> i64 {
        now.0.div_euclid(i64::try_from(self.slot.as_secs()).unwrap_or(i64::MAX).max(1))
    }

    fn of_slot(&self, slot: i64) -> [u8; OCTETS] {
        let tag = hmac::sign(&self.key, &slot.to_be_bytes());
        let mut nonce = [0; OCTETS];
        nonce.iter_mut().zip(tag.as_ref()).for_each(|(octet, of_tag)| *octet = *of_tag);
        nonce
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("slot", &self.slot).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_lives_for_its_slot_and_the_next() {
        let nonces = Nonces::new(&[7; 32], Duration::from_secs(60));
        for slot in [-61, -60, -1, 0, 60, 1_800_000_000] {
            let begin = slot - i64::rem_euclid(slot, 60);
            let nonce = nonces.current(UnixTime(slot));
            assert_eq!(nonce.len(), 22);
            for (at, holds) in [
                (begin - 1, false),
                (begin, true),
                (begin + 59, true),
                (begin + 119, true),
                (begin + 120, false),
            ] {
                assert_eq!(nonces.accepts(UnixTime(at), &nonce), holds, "of {slot} at {at}");
            }
            for other in ["", "x", &nonce[1..], &format!("{nonce}x"), &nonce.to_lowercase()] {
                assert!(!nonces.accepts(UnixTime(slot), other));
            }
        }
    }

    #[test]
    fn nobody_makes_one_without_the_secret() {
        let ours = Nonces::new(&[7; 32], Duration::from_secs(60));
        let theirs = Nonces::new(&[8; 32], Duration::from_secs(60));
        let shared = Nonces::new(&[7; 32], Duration::from_secs(60));
        let now = UnixTime(1_800_000_000);
        assert!(!ours.accepts(now, &theirs.current(now)));
        assert!(ours.accepts(now, &shared.current(now)));
        assert!(!format!("{ours:?}").contains('7'));
    }

    #[test]
    fn a_slot_of_nothing_and_the_ends_of_time_are_no_faults() {
        for slot in [Duration::ZERO, Duration::MAX] {
            let nonces = Nonces::new(&[7; 32], slot);
            for now in [UnixTime(i64::MIN), UnixTime(0), UnixTime(i64::MAX)] {
                assert!(nonces.accepts(now, &nonces.current(now)));
            }
        }
    }
}
