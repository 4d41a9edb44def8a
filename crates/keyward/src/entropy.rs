//! The randomness of this machine. Nothing else in Keyward reads it.

use aws_lc_rs::rand;

/// Randomness that strangers do not know: for hash seeds, jitter and correlation ids.
///
/// # Panics
/// Never: where aws-lc has no randomness it ends the process itself.
#[expect(clippy::disallowed_methods, reason = "this is where randomness is read")]
pub fn seed() -> u64 {
    let mut octets = [0; 8];
    // aws-lc's generator has no failure that it reports: without a source of entropy it aborts.
    let _ = rand::fill(&mut octets);
    u64::from_ne_bytes(octets)
}
