//! The files of a SQLite database. Sealed keys and hashes are in them, and they are their owner's alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use keyward::credentials::PermissionsTooWide;

use super::{StoreAddress, StoreError};

/// What SQLite calls those beside the database. It makes them with the mode of that.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

impl StoreAddress {
    /// The files of the database that are there and that others than their owner can use.
    pub fn exposed(&self) -> Vec<PermissionsTooWide> {
        let Self::Sqlite(path) = self else {
            return Vec::new();
        };
        let beside = BESIDE.iter().map(|end| with_end(path, end));
        std::iter::once(path.clone()).chain(beside).filter_map(|path| too_wide(&path)).collect()
    }
}

/// Makes the database, where it is not there, with mode 0600 from its first moment.
pub(super) fn create(path: &Path) -> io::Result<()> {
    ours().open(path).map(drop)
}

/// Makes the database ours alone, by a lock on a file beside it that the system drops when we end, however that is.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let refused = |cause| StoreError::Folder { path: path.to_owned(), cause };
    if let Some(folder) = path.parent() {
        folder_of_ours().create(folder).map_err(refused)?;
    }
    let file = ours().open(with_end(path, ".lock")).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(cause)) => Err(refused(cause)),
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(end);
    beside.into()
}

fn ours() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn folder_of_ours() -> DirBuilder {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
}

#[cfg(unix)]
fn too_wide(path: &Path) -> Option<PermissionsTooWide> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o177 != 0).then(|| PermissionsTooWide { path: path.to_owned(), mode })
}

#[cfg(not(unix))]
fn too_wide(_path: &Path) -> Option<PermissionsTooWide> {
    None
}
