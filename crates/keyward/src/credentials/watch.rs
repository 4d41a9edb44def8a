//! Whether files have changed since they were last looked at.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Looks at files. A mounted secret changes by a symbolic link far away, which no file notification follows: whoever
/// wants to know looks now and then.
#[derive(Debug)]
pub struct FileWatch {
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// By what a file's change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    octets: u64,
    identity: Identity,
}

impl FileWatch {
    /// Looks at these files; what they are now counts as seen.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Self { seen: paths.into_iter().map(|path| (path.to_owned(), stamp(path))).collect() }
    }

    /// Whether one of them has changed, come or gone since this was last asked. What is there now counts as seen, so
    /// that whoever reads them afterwards reads that or something newer.
    pub fn has_changed(&mut self) -> bool {
        let mut has_changed = false;
        for (path, seen) in &mut self.seen {
            let found = stamp(path);
            has_changed |= *seen != found;
            *seen = found;
        }
        has_changed
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok()?, octets: metadata.len(), identity: identity(&metadata) })
}

/// Which file it is, and when that was last written or renamed: a replacement may keep time and length.
#[cfg(unix)]
type Identity = (u64, i64, i64);

#[cfg(not(unix))]
type Identity = ();

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_metadata: &Metadata) -> Identity {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn sees_each_change_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, other, link] = ["secret", "other", "link"].map(|name| folder.path().join(name));
        fs::write(&path, "one").expect("written");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        let mut watch = FileWatch::new([link.as_path()]);
        assert!(!watch.has_changed());
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
        fs::write(&other, "two").expect("written");
        let file = fs::File::options().write(true).open(&other).expect("opened");
        file.set_modified(modified).expect("the same time");
        // As a mounted secret changes: the link leads elsewhere, to a file as long and as old.
        fs::remove_file(&link).expect("gone");
        assert!(watch.has_changed() && !watch.has_changed());
        std::os::unix::fs::symlink(&other, &link).expect("linked");
        assert!(watch.has_changed() && !watch.has_changed());
        fs::rename(&path, &other).expect("renamed");
        assert!(watch.has_changed() && !watch.has_changed());
    }
}
