//! Keeps what is recorded: in a file of its own, or as one line of the log.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::counts::LONGEST;
use super::report::{Recording, Sums};
use super::spike::Spike;
use crate::events;
use crate::observers::Observers;

/// How many files are kept. The oldest make room.
const FILES: usize = 20;

/// Their names begin and end so; the time is between.
const PREFIX: &str = "keyward-recorder-";
const SUFFIX: &str = ".json";

/// Keeps recordings.
#[derive(Debug)]
pub(crate) struct Dumps {
    observers: Arc<Observers>,
    folder: Option<PathBuf>,
    /// Whether somebody is at it: a disk that hangs must not gather threads.
    is_busy: AtomicBool,
}

/// Why a recording is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "dumped_for", rename_all = "snake_case")]
pub(crate) enum DumpedFor {
    Signal,
    Spike(Spike),
}

/// A file's content.
#[derive(Serialize)]
struct Content<'a> {
    #[serde(flatten)]
    dumped_for: DumpedFor,
    #[serde(flatten)]
    recording: &'a Recording,
}

impl Dumps {
    pub(crate) fn new(observers: Arc<Observers>, folder: Option<PathBuf>) -> Self {
        Self { observers, folder, is_busy: AtomicBool::new(false) }
    }

    /// Keeps what is recorded now. Where somebody is still at the last one, nothing is kept.
    pub(crate) fn keep(self: &Arc<Self>, dumped_for: DumpedFor) {
        if !self.is_busy.swap(true, Ordering::Acquire) {
            let dumps = Arc::clone(self);
            tokio::spawn(async move {
                dumps.keep_and_tell(dumped_for).await;
                dumps.is_busy.store(false, Ordering::Release);
            });
        }
    }

    /// On a thread that may wait for a disk.
    async fn keep_and_tell(&self, dumped_for: DumpedFor) {
        let (observers, folder) = (Arc::clone(&self.observers), self.folder.clone());
        let keeping = tokio::task::spawn_blocking(move || {
            let recording = observers.recorder.recording(LONGEST, usize::MAX);
            (recording.sums(), folder.map(|folder| write(&folder, dumped_for, &recording)))
        });
        match (keeping.await, &self.folder) {
            (Ok((sums, Some(Ok(path)))), _) => tell(dumped_for, &sums, Some(&path)),
            (Ok((_, Some(Err(error)))), Some(folder)) => {
                let path = folder.display();
                tracing::error!(event = events::RECORDER_DUMP_FAILED, %path, "the recording was not kept: {error}");
            }
            (Ok((sums, _)), _) => tell(dumped_for, &sums, None),
            // It panicked, which the panic hook told, or the runtime goes down.
            (Err(_), _) => {}
        }
    }
}

/// One line, with the counts only.
fn tell(dumped_for: DumpedFor, sums: &Sums, path: Option<&Path>) {
    let path = path.map(|path| path.display().to_string());
    let Sums { since_s, accepted, rejected, undecided, fallbacks } = sums;
    let event = events::RECORDER_DUMPED;
    match dumped_for {
        DumpedFor::Signal => {
            let cause = "signal";
            tracing::info!(
                event,
                cause,
                path,
                since_s,
                accepted,
                rejected,
                undecided,
                fallbacks,
                "what was recorded is kept"
            );
        }
        DumpedFor::Spike(Spike { family, count, .. }) => {
            let cause = "spike";
            tracing::warn!(
                event,
                cause,
                family,
                count,
                path,
                since_s,
                accepted,
                rejected,
                undecided,
                fallbacks,
                "verdicts of a family multiplied: what was recorded is kept"
            );
        }
    }
}

/// Writes a file that is whole or not there and that its owner only may read.
fn write(folder: &Path, dumped_for: DumpedFor, recording: &Recording) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    // Colons are no part of names everywhere.
    let path = folder.join(format!("{PREFIX}{}{SUFFIX}", recording.at().replace(':', "-")));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&serde_json::to_vec_pretty(&Content { dumped_for, recording })?)?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    make_room(folder)?;
    Ok(path)
}

/// Removes the oldest files, as their names tell. What is named otherwise is not ours.
fn make_room(folder: &Path) -> io::Result<()> {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
    };
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut ours: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(is_ours).collect();
    ours.sort();
    let too_many = ours.len().saturating_sub(FILES);
    ours.iter().take(too_many).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use keyward::clock::Clock;
    use keyward::{MonoTime, Now, Reason, UnixTime};
    use serde_json::Value;

    use super::*;
    use crate::recorder::{Judged, Outcome, Recorder};

    #[derive(Debug)]
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Now {
            Now { wall: UnixTime(1_800_000_000), mono: MonoTime(9_000_000_000) }
        }
    }

    fn recording() -> Recording {
        let recorder = Recorder::new(Arc::new(Stopped), 16);
        let outcome = Outcome::Refused(Reason::Expired, Some("key-1"));
        let at = MonoTime(8_000_000_000);
        recorder.verdict(&Judged { at, took: Duration::from_micros(7), route: Some(2), outcome });
        recorder.recording(LONGEST, usize::MAX)
    }

    #[test]
    fn a_file_is_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("new");
        let spike = Spike { family: "reject", count: 30, before_per_second: 0.5 };
        let path = write(&inner, DumpedFor::Spike(spike), &recording()).expect("written");
        assert_eq!(path, inner.join("keyward-recorder-2027-01-15T08-00-00Z.json"));
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        let content: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        assert_eq!((&content["dumped_for"], &content["family"]), (&"spike".into(), &"reject".into()));
        assert_eq!(content["verdicts"][0]["reason"], "expired");
        let recent = &content["recent"][0];
        assert_eq!((&recent["kid"], &recent["took_us"]), (&"key-1".into(), &7.into()));
        assert_eq!((&recent["at"], &recent["route"]), (&"2027-01-15T07:59:59Z".into(), &2.into()));
        assert_eq!(fs::read_dir(&inner).expect("a folder").count(), 1, "nothing half written stays behind");
    }

    #[test]
    fn the_oldest_files_make_room_and_others_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("notes.json"), "mine").expect("written");
        for number in 0..30 {
            let name = format!("keyward-recorder-2026-01-01T00-00-{number:02}Z.json");
            fs::write(folder.path().join(name), "{}").expect("written");
        }
        let path = write(folder.path(), DumpedFor::Signal, &recording()).expect("written");
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        assert_eq!(names.len(), FILES + 1);
        assert_eq!(names[0], "keyward-recorder-2026-01-01T00-00-11Z.json");
        assert!(names.contains(&"notes.json".to_owned()) && path.exists());
    }
}
