//! The keys that tokens are signed with: when each is published, signs, and is withdrawn; where the private halves are; and who
//! signs now.

mod error;
mod lifecycle;
mod local;
mod master_key;
mod realm_keys;
mod reseal;
mod ring;
mod rings;
mod rotation;
mod rotation_error;
mod rounds;
mod settings;
mod store;
mod watched;

pub use error::SigningError;
pub use lifecycle::{KeyRecord, KeyState, KeyTimes, LifecycleSettings, Plan, Step, plan};
pub use local::LocalKeys;
pub use master_key::{MasterKey, MasterKeyError, MasterKeyFileError, MasterKeyId};
pub use realm_keys::NewKeys;
pub use reseal::{ClosedKey, Resealed, first_closed, reseal, withdraw_closed};
pub use ring::KeyRing;
pub(crate) use ring::SignedWith;
pub(crate) use rings::KeyRings;
pub use rotation::{begin, retire, rotate_now, turn, withdraw_compromised};
pub use rotation_error::RotationError;
pub use rounds::{Rotation, Rounds};
pub use settings::{JWK_SET_MAX_AGE, RotationSettingsError, SHORTEST_PUBLICATION, check_rotation};
pub use store::{ALGORITHMS, KeyStore, KeyStoreError, NewKey, Task, algorithm};
pub(crate) use watched::WatchedKeys;
#[cfg(test)]
pub(crate) use watched::WatchedState;
