//! Where private keys are kept: with us, sealed, or one day in a KMS.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;

use keyward_jose::{Algorithm, Jwk, Signer, SigningKeyError};

use super::master_key::MasterKeyId;
use crate::entity::SealedKey;

/// What a key store does takes its time: RSA keys take long to be made, and a KMS is across the network.
pub type Task<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyStoreError>> + Send + 'a>>;

/// Makes private keys, and signs with them. None ever leaves it in the clear.
pub trait KeyStore: Send + Sync + Debug {
    /// What [`SealedKey::store`] says of its keys.
    fn label(&self) -> &'static str;

    /// Makes a key for `realm`, whose `kid` is its RFC 7638 thumbprint. It is nowhere but in what is returned.
    fn generate<'a>(&'a self, realm: &'a str, algorithm: Algorithm) -> Task<'a, NewKey>;

    /// Whether it has what it takes to open this, as far as that can be seen from outside.
    ///
    /// # Errors
    /// [`KeyStoreError::Foreign`], [`KeyStoreError::MasterKeyAbsent`].
    fn check(&self, key: &SealedKey) -> Result<(), KeyStoreError>;

    /// Seals anew what was returned for this realm, `kid` and algorithm; none where it is sealed as it would be now.
    fn reseal<'a>(
        &'a self,
        realm: &'a str,
        kid: &'a str,
        algorithm: Algorithm,
        key: &'a SealedKey,
    ) -> Task<'a, Option<SealedKey>>;

    /// Makes a signer of what was returned for this realm, `kid` and algorithm, and for no other.
    fn open<'a>(
        &'a self,
        realm: &'a str,
        kid: &'a str,
        algorithm: Algorithm,
        key: &'a SealedKey,
    ) -> Task<'a, Arc<dyn Signer>>;
}

/// A key that was just made, and signs nothing before it is published.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its public half.
    pub jwk: Jwk,
    /// Its private half.
    pub private: SealedKey,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// Nothing is signed with that here.
    #[error("nothing is signed with {0} here: write RS256, PS256, ES256 or EdDSA")]
    Algorithm(Algorithm),
    /// Another key store made it.
    #[error("the private key is kept by another key store than the one that is configured")]
    Foreign,
    /// No key could be made.
    #[error("no key could be made: {0}")]
    Generation(SigningKeyError),
    /// It is sealed under a master key that is not there.
    #[error(
        "the private key is sealed under master key {id}, which is not configured: name it under \
         key_store.further_master_key_files"
    )]
    MasterKeyAbsent {
        /// Which.
        id: MasterKeyId,
    },
    /// It was sealed under another master key, or for another realm, `kid` or algorithm, or is damaged.
    #[error(
        "the private key cannot be opened: it was sealed under another master key or for another key, or is damaged"
    )]
    Sealed,
    /// The process ends.
    #[error("the key store is shutting down")]
    ShuttingDown,
}

/// The algorithms that a realm may sign with (RFC 7518 §3.1, RFC 8037 §3.1).
pub const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256, Algorithm::Rs256];

/// The algorithm of a name that a realm may sign with: the registered one, and for Ed25519 only `EdDSA`.
pub fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == name)
}
