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
    /// Commands of others did not end.
    #[error("other commands kept the log's head for {seconds} s")]
    Busy {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The database does not do what it is asked.
    #[error("the database fails: {0}")]
    Database(#[from] sqlx::Error),
    /// The tables cannot be made.
    #[error("the tables cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The tables are a newer version's.
    #[error(
        "the tables are at migration {version}, and this version of Keyward knows up to {known}: run the newer one, or restore a \
         backup into an empty database"
    )]
    Newer {
        /// Theirs.
        version: i64,
        /// Ours.
        known: i64,
    },
    /// The tables are an older version's, and may not be changed now.
    #[error(
        "the tables are at migration {version}, and this version of Keyward wants {known}: start `keyward authority serve` once, \
         which brings them up to date"
    )]
    Older {
        /// Theirs; 0 where there are none.
        version: i64,
        /// Ours.
        known: i64,
    },
    /// The database does not answer.
    #[error("the database did not answer within {seconds} s")]
    Silent {
        /// How long it had.
        seconds: u64,
    },
    /// Another process uses the SQLite file.
    #[error("{} is in use by another process; only PostgreSQL serves several nodes", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// An earlier migration ended halfway.
    #[error(
        "migration {version} ended halfway; PostgreSQL and SQLite undo such a one by themselves, so somebody wrote into the \
         table _sqlx_migrations: restore a backup into an empty database"
    )]
    HalfMigrated {
        /// Which.
        version: i64,
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
