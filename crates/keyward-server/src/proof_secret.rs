//! What servers behind one address share, so that each takes the DPoP nonces of the others.

use std::fmt;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

/// Characters of a secret that nobody guesses.
const LEAST: usize = 32;

/// 32 octets that strangers do not know; wiped when dropped, and never shown.
#[derive(Clone)]
pub struct ProofSecret(Zeroizing<[u8; 32]>);

/// It is too short.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a secret of fewer than 32 characters can be guessed; `openssl rand -hex 32` makes one")]
pub struct Guessable;

impl ProofSecret {
    /// Of the one line of a file, of at least 32 characters.
    ///
    /// # Errors
    /// [`Guessable`].
    pub fn parse(line: &str) -> Result<Self, Guessable> {
        if line.len() < LEAST {
            return Err(Guessable);
        }
        let mut octets = Zeroizing::new([0; 32]);
        let digest = digest::digest(&digest::SHA256, line.as_bytes());
        octets.iter_mut().zip(digest.as_ref()).for_each(|(octet, of_digest)| *octet = *of_digest);
        Ok(Self(octets))
    }

    /// The octets.
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for ProofSecret {
    fn from(octets: [u8; 32]) -> Self {
        Self(Zeroizing::new(octets))
    }
}

impl fmt::Debug for ProofSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofSecret(..)")
    }
}
