//! Files whose change is noticed.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio::time::timeout;

/// Files, and what each looked like when it was last said to be seen.
#[derive(Clone, Debug)]
pub struct WatchedFiles {
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

/// By what a file's change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    octets: u64,
    /// Which file it is, and when that was last written or renamed: a replacement may keep time and length.
    inode: u64,
    changed: (i64, i64),
}

impl WatchedFiles {
    /// How often to look. A mounted secret changes by a symbolic link far away, which no file notification follows.
    pub const LOOK_INTERVAL: Duration = Duration::from_secs(2);

    /// These, as they are now.
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let stamped = |path: PathBuf| {
            let stamp = stamp(&path);
            (path, stamp)
        };
        Self { seen: files.into_iter().map(stamped).collect() }
    }

    /// Whether one of them is another than it was.
    pub fn have_changed(&self) -> bool {
        self.seen.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    /// Waits until somebody asks for it by `signal`, or one of them is another than it was; looks this often.
    pub async fn changed(&self, signal: &mut Signal, look_interval: Duration) {
        loop {
            let is_asked_for = timeout(look_interval, signal.recv()).await.is_ok();
            if is_asked_for || self.have_changed() {
                return;
            }
        }
    }

    /// As they are now they count as seen. To be said before they are read: a change meanwhile is noticed then.
    pub fn seen_now(&mut self) {
        for (path, seen) in &mut self.seen {
            *seen = stamp(path);
        }
    }

    /// Looks at these from now on. Those that were watched before stay as they were seen.
    pub fn watch(&mut self, files: &[PathBuf]) {
        let seen_before = |path: &PathBuf| self.seen.iter().find(|(seen, _)| seen == path).cloned();
        self.seen = files
            .iter()
            .map(|path| seen_before(path).unwrap_or_else(|| (path.clone(), stamp(path))))
            .collect();
    }

    /// Looks at these, too: one of them may be what was missing.
    pub fn watch_too(&mut self, files: &[PathBuf]) {
        let more = self.seen.iter().map(|(path, _)| path).chain(files).cloned().collect::<BTreeSet<_>>();
        self.watch(&Vec::from_iter(more));
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok()?,
        octets: metadata.len(),
        inode: metadata.ino(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_removed_or_made_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "1").unwrap();
        let mut watched = WatchedFiles::new([one.clone(), two.clone()]);
        assert!(!watched.have_changed());
        let changes: [&dyn Fn(); 4] = [
            &|| std::fs::write(&one, "12").unwrap(),
            &|| std::fs::write(&two, "34").unwrap(),
            &|| std::fs::rename(&two, &one).unwrap(),
            &|| std::fs::remove_file(&one).unwrap(),
        ];
        for (place, change) in changes.iter().enumerate() {
            change();
            assert!(watched.have_changed(), "change {place}");
            watched.seen_now();
            assert!(!watched.have_changed(), "change {place}");
        }
    }

    #[test]
    fn what_was_seen_before_stays_seen_when_others_come_along() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        let mut watched = WatchedFiles::new([one.clone()]);
        std::fs::write(&one, "1").unwrap();
        watched.watch_too(std::slice::from_ref(&two));
        assert!(watched.have_changed());
        watched.watch(&[two]);
        assert!(!watched.have_changed());
    }
}
