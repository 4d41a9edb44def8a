//! Where the authority keeps what it knows: a log of events and the state that they make, in SQLite or PostgreSQL.
//!
//! A command appends its events and changes the state in one transaction, which holds the log's head row from its start to
//! its end: the order of commits is the order of positions, and there are no gaps. So whoever has followed the log up to its
//! head has seen everything, and a miss that was read from the database is no stale one.

mod address;
mod at;
mod backup;
mod backup_error;
mod backup_file;
mod change;
mod command;
mod ending;
mod error;
mod export;
mod files;
mod follow;
mod last_use;
mod listen;
mod migration;
mod outage;
mod read;
mod rebuild;
mod store;
mod token;
mod use_queue;
mod used;
mod verify;
mod watched;

pub use address::StoreAddress;
pub use at::Versioned;
pub use backup::Progress;
pub use backup_error::BackupError;
pub use change::{Action, Actor, Change, Entity, Event, Kind, Position};
pub use command::Command;
pub use error::StoreError;
pub(crate) use listen::Ears;
pub use store::Store;
pub use verify::Difference;
