//! Why the storage cannot be used.

use std::path::PathBuf;

/// Why the storage cannot be used. No address with a password is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address is none.
    #[error("{address:?} is no address of a storage: write sqlite:FILE or postgres://USER@HOST/DATABASE")]
    Address {
        /// What was given, without a password.
        address: String,
    },
    /// The database does not do what it is asked.
    #[error("the database fails: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be made, or were made by a newer version.
    #[error("the tables cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Another process uses the SQLite file.
    #[error("{} is in use by another process; only PostgreSQL serves several nodes", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The folder of the SQLite file cannot be used.
    #[error("{} cannot be opened: {cause}", path.display())]
    Folder {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
}
