//! Why nothing is signed.

use keyward_jose::SignError;

use super::store::KeyStoreError;
use crate::view::ViewError;

/// Why nothing is signed, or nothing is known of a realm's keys. To a client each is [`Cause::Unavailable`](crate::cause::Cause::Unavailable).
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The realm has no key that signs, or none of the algorithm that is wanted.
    #[error("no key signs")]
    NoActiveKey,
    /// The key does not sign.
    #[error(transparent)]
    Signature(#[from] SignError),
    /// The private half of a key cannot be had.
    #[error("{kid}: {cause}")]
    Store {
        /// Which key.
        kid: String,
        /// Why not.
        cause: KeyStoreError,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
}
