//! A realm as a file says it: what would have to be done, and doing it.
//!
//! A file holds a realm with its resource servers, external signers, service accounts, clients and their public keys. No secret
//! is in it: those of clients that are there stay, and identities too. [`plan`] compares and changes nothing; [`apply`] does what
//! was planned in one command, or nothing where the realm has changed since. What [`export`] writes is a file that changes
//! nothing when it is applied, and is written again to the byte after that.

mod item;
mod plan;
mod realm_file;
mod run;

pub use item::Item;
pub use plan::{Step, plan};
pub use realm_file::{KeyEntry, RealmFile, RealmFileError};
pub use run::{apply, current, export};
