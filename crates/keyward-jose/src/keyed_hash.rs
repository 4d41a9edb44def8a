//! A hash by which secrets can be told apart without being kept.

use std::fmt;

use aws_lc_rs::digest;
use smallvec::SmallVec;
use zeroize::Zeroizing;

/// SHA-256 over a secret of 32 octets and what is hashed.
///
/// Two texts share a hash only where SHA-256 has a collision, whoever knows the secret. The secret is why a hash
/// says nothing of a text that could be guessed. It is no MAC: whoever is shown a hash could make that of a longer
/// text, so hashes are to be kept and never shown.
pub struct KeyedHash {
    secret: Zeroizing<[u8; 32]>,
}

/// Up to so many octets, secret included, are hashed without an allocation.
const INLINE: usize = 2048;

impl KeyedHash {
    /// By this secret, which should be random.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret) }
    }

    /// The hash of `text`.
    pub fn of(&self, text: &[u8]) -> [u8; 32] {
        // One call of aws-lc over a copy costs less than the context that its calls in pieces allocate.
        let mut octets = SmallVec::<[u8; INLINE]>::with_capacity(self.secret.len() + text.len());
        octets.extend_from_slice(&*self.secret);
        octets.extend_from_slice(text);
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, &octets).as_ref());
        hash
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedHash").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_the_secret_and_on_each_octet() {
        let hash = KeyedHash::new([7; 32]);
        for length in [0, 1, 43, INLINE - 33, INLINE - 32, INLINE - 31, 16 * 1024] {
            let text = vec![b'x'; length];
            assert_eq!(hash.of(&text), hash.of(&text));
            assert_ne!(hash.of(&text), KeyedHash::new([8; 32]).of(&text));
            let whole = [&[7; 32], text.as_slice()].concat();
            assert_eq!(hash.of(&text), digest::digest(&digest::SHA256, &whole).as_ref());
            for place in [0, length / 2, length.saturating_sub(1)].into_iter().filter(|at| *at < length) {
                let mut other = text.clone();
                other[place] ^= 1;
                assert_ne!(hash.of(&text), hash.of(&other), "octet {place} of {length}");
            }
        }
        assert!(!format!("{hash:?}").contains('7'));
    }
}
