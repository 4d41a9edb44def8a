//! Why the storage cannot be used.

use std::path::PathBuf;
use std::sync::Arc;

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
    /// What writes to the database has ended, as everything does with the process.
    #[error("it was not written: this node is ending")]
    Ended,
    /// Too much waits to be written.
    #[error("{waiting} wait already to be marked as used")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The tables cannot be made.
    #[error("the tables cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Nothing is called so.
    #[error("what is used once has a name of at most {most} octets, without a zero")]
    Name {
        /// How many octets it may have.
        most: usize,
    },
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
    /// What was asked in one statement with others failed with them.
    #[error("{cause}")]
    Together {
        /// Why.
        cause: Arc<Self>,
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

impl StoreError {
    /// Every kind of error that happens while a node serves, in their order.
    pub const KINDS: &[&str] =
        &["busy", "disconnected", "ending", "full", "no_connection", "other", "refused", "silent"];

    /// Its kind, as metrics have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::Database(error) => match error {
                sqlx::Error::Database(_) => "refused",
                sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => "disconnected",
                sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "ending",
                sqlx::Error::PoolTimedOut => "no_connection",
                _ => "other",
            },
            Self::Ended => "ending",
            Self::Full { .. } => "full",
            Self::Silent { .. } => "silent",
            Self::Together { cause } => cause.kind(),
            _ => "other",
        }
    }

    /// Whether nothing is wrong but that the node ends.
    pub(super) fn is_of_our_end(&self) -> bool {
        matches!(self, Self::Ended | Self::Database(sqlx::Error::PoolClosed))
    }
}
