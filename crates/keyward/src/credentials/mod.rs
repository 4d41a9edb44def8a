//! Who we are to a provider: the files that say so, and how a request shows it.

mod encrypted_key;
mod file;
mod key_file;
mod signing_key;

pub use file::{CredentialFault, CredentialFileError, PermissionsTooWide, SecretFile};
pub use key_file::{KeyFile, KeyFileKind, KeyFileSettings};
pub use signing_key::SigningKey;
