//! The randomness of this machine. Nothing else in Keyward reads it.

use std::cell::RefCell;

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

/// 128 bits that nobody else has, for what is used once.
pub fn nonce() -> u128 {
    (u128::from(seed()) << 64) | u128::from(seed())
}

/// A secret that strangers do not know.
///
/// # Panics
/// Never, as [`seed`].
#[expect(clippy::disallowed_methods, reason = "this is where randomness is read")]
pub fn secret() -> [u8; 32] {
    let mut octets = [0; 32];
    // As in [`seed`].
    let _ = rand::fill(&mut octets);
    octets
}

/// 128 bits that nobody else has, for what is named in great numbers. They are read many at a time: unlike [`secret`], it is for
/// what is shown, and not for what keeps somebody out.
#[expect(clippy::disallowed_methods, reason = "this is where randomness is read")]
pub fn name() -> [u8; 16] {
    thread_local! {
        static READ: RefCell<Vec<[u8; 16]>> = const { RefCell::new(Vec::new()) };
    }
    READ.with_borrow_mut(|read| {
        read.pop().unwrap_or_else(|| {
            let mut names = [[0; 16]; 32];
            // As in [`seed`].
            let _ = rand::fill(names.as_flattened_mut());
            let [name, others @ ..] = names;
            read.extend(others);
            name
        })
    })
}

/// The same for a test that runs twice alike: no secret to whoever knows the seed.
pub(crate) fn derived_secret(seed: u64) -> [u8; 32] {
    let mut octets = [0; 32];
    for (place, word) in (0..).zip(octets.chunks_exact_mut(8)) {
        word.copy_from_slice(&derived(seed, place).to_le_bytes());
    }
    octets
}

/// The seed for the `place`th of those that share one: unlike the others, and the same each time (SplitMix64).
pub(crate) fn derived(seed: u64, place: u64) -> u64 {
    let mut word = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_names_are_the_same_on_whichever_thread() {
        let some = || (0..1000).map(|_| name()).collect::<Vec<_>>();
        let elsewhere = std::thread::spawn(some);
        let all = [some(), elsewhere.join().unwrap()].concat();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
