//! Why there is no backup, or nothing is made of one.

use std::path::PathBuf;

use super::{Difference, StoreError};

/// Why there is no backup, or nothing is made of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The octets are not those that were written.
    #[error("{} is damaged: its SHA-256 is another than it says; take another backup", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The log has a gap, or what was restored is not what it says.
    #[error("{difference}: this database is not to be used; take another, or another backup")]
    Different {
        /// The first difference.
        difference: Difference,
    },
    /// The file cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It is of another format.
    #[error("{} is a backup of format {format}, and this version of Keyward reads {known}: use the version that wrote it, {keyward}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// Ours.
        known: u64,
        /// Who wrote it.
        keyward: String,
    },
    /// Events are missing.
    #[error("{}, line {line}: there is no event {expected}; take another backup", path.display())]
    Gap {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: u64,
        /// What should be there.
        expected: i64,
    },
    /// A line is not what a backup has there.
    #[error("{}, line {line}: this is no line of a backup ({cause}); take another backup", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: u64,
        /// Why not.
        cause: serde_json::Error,
    },
    /// There is something in the database already.
    #[error("the database holds events up to {head}; a backup is restored into an empty one: name another")]
    NotEmpty {
        /// The position of the last.
        head: i64,
    },
    /// The database does not do what it is asked.
    #[error(transparent)]
    Store(StoreError),
    /// Its end is missing.
    #[error("{} ends at line {line}, without its last: it is not whole; take another backup", path.display())]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// The last line, from 1.
        line: u64,
    },
}

impl<E: Into<StoreError>> From<E> for BackupError {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}
