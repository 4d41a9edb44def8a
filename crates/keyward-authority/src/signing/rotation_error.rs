//! Why a realm's keys stay as they are.

use super::store::KeyStoreError;
use crate::storage::StoreError;
use crate::view::ViewError;

/// Why a realm's keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// Nothing is signed with that here.
    #[error("nothing is signed with {algorithm:?} here")]
    AlgorithmUnknown {
        /// Which.
        algorithm: String,
    },
    /// A key cannot be made, or one that signs cannot be opened here, so that no other node could open what is made here.
    #[error("{}{cause}", kid.as_ref().map(|kid| format!("{kid}: ")).unwrap_or_default())]
    KeyStore {
        /// Which key; none for one that was to be made.
        kid: Option<String>,
        /// Why not.
        cause: KeyStoreError,
    },
    /// The realm has no such key.
    #[error("the realm has no key {kid:?}")]
    KeyUnknown {
        /// Which.
        kid: String,
    },
    /// One step made another one due, again and again.
    #[error("the keys never come to rest")]
    NoRest,
    /// There is no such realm.
    #[error("there is no such realm")]
    RealmUnknown,
    /// What the key signed is still good.
    #[error(
        "{kid}: tokens that it signed may be good until {until}; withdraw it as compromised to have them refused"
    )]
    StillGood {
        /// Which key.
        kid: String,
        /// Until when, in seconds since 1970.
        until: i64,
    },
    /// The key signs.
    #[error("{kid} signs: have it replaced first, or withdraw it as compromised")]
    StillSigns {
        /// Which key.
        kid: String,
    },
    /// The realm or its keys cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl From<StoreError> for RotationError {
    fn from(error: StoreError) -> Self {
        Self::View(ViewError::Store(error))
    }
}
