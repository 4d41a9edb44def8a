//! A backup as it is in a file: JSON Lines, of which the first says what it is, the last is the SHA-256 of all before it, and the
//! others are the events in their order.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{BackupError, Event, Position};

/// What is written and read.
const FORMAT: u64 = 1;

/// The longest line: no event comes near it, and a file that is no backup is not read into memory.
const LINE_LIMIT: u64 = 16 << 20;

#[derive(Deserialize, Serialize)]
struct First {
    keyward_backup: u64,
    keyward: String,
    head: Position,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Last {
    sha256: String,
}

/// A backup that is being written. Until it is finished nobody sees it, and dropped, it never was.
pub(super) struct BackupWriter {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    digest: Context,
}

/// A backup that is being read.
pub(super) struct BackupReader {
    path: PathBuf,
    file: BufReader<File>,
    digest: Context,
    line: u64,
    head: Position,
    read: Position,
}

impl BackupWriter {
    /// Only its owner can read it: hashes of secrets are in it.
    pub(super) fn create(path: &Path, head: Position) -> Result<Self, BackupError> {
        let refused = |cause| BackupError::File { path: path.to_owned(), cause };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let file =
            tempfile::Builder::new().prefix(".keyward-backup-").tempfile_in(folder).map_err(refused)?;
        let (path, file, digest) = (path.to_owned(), BufWriter::new(file), Context::new(&SHA256));
        let mut writer = Self { path, file, digest };
        writer.line(&First {
            keyward_backup: FORMAT,
            keyward: env!("CARGO_PKG_VERSION").to_owned(),
            head,
        })?;
        Ok(writer)
    }

    pub(super) fn events(&mut self, events: &[Event]) -> Result<(), BackupError> {
        events.iter().try_for_each(|event| self.line(event))
    }

    /// Puts it in its place, on the disk, and in that of an older one of its name.
    pub(super) fn finish(mut self) -> Result<(), BackupError> {
        let sha256 = hex(self.digest.clone().finish().as_ref());
        self.line(&Last { sha256 })?;
        let path = self.path;
        let refused = |cause| BackupError::File { path: path.clone(), cause };
        let file = self.file.into_inner().map_err(|error| refused(error.into_error()))?;
        file.as_file().sync_all().map_err(refused)?;
        file.persist(&path).map_err(|error| refused(error.error))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(refused)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), BackupError> {
        let refused = |cause| BackupError::File { path: self.path.clone(), cause };
        let mut text = serde_json::to_vec(line).map_err(|error| refused(error.into()))?;
        text.push(b'\n');
        self.digest.update(&text);
        self.file.write_all(&text).map_err(refused)
    }
}

impl BackupReader {
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(|cause| BackupError::File { path: path.to_owned(), cause })?;
        let (path, file, digest) = (path.to_owned(), BufReader::new(file), Context::new(&SHA256));
        let mut reader = Self { path, file, digest, line: 0, head: Position(0), read: Position(0) };
        let first: First = reader.next()?;
        if first.keyward_backup != FORMAT {
            let (format, keyward) = (first.keyward_backup, first.keyward);
            return Err(BackupError::Format { path: reader.path, format, known: FORMAT, keyward });
        }
        reader.head = first.head;
        Ok(reader)
    }

    pub(super) fn head(&self) -> Position {
        self.head
    }

    /// The next events, at most `limit`. None are left once there are fewer, and then all were as they were written.
    pub(super) fn events(&mut self, limit: usize) -> Result<Vec<Event>, BackupError> {
        let mut events = Vec::new();
        while events.len() < limit {
            if self.read == self.head {
                self.check_end()?;
                break;
            }
            let event: Event = self.next()?;
            let expected = self.read.0 + 1;
            if event.position.0 != expected {
                return Err(BackupError::Gap { path: self.path.clone(), line: self.line, expected });
            }
            self.read = event.position;
            events.push(event);
        }
        Ok(events)
    }

    fn check_end(&mut self) -> Result<(), BackupError> {
        let digest = hex(self.digest.clone().finish().as_ref());
        let last: Last = self.next()?;
        let path = &self.path;
        let refused = |cause| BackupError::File { path: path.clone(), cause };
        let is_over = self.file.fill_buf().map_err(refused)?.is_empty();
        if last.sha256 == digest && is_over {
            Ok(())
        } else {
            Err(BackupError::Damaged { path: self.path.clone() })
        }
    }

    /// What the next line says.
    fn next<T: DeserializeOwned>(&mut self) -> Result<T, BackupError> {
        let path = &self.path;
        let mut text = Vec::new();
        let read = self.file.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut text);
        read.map_err(|cause| BackupError::File { path: path.clone(), cause })?;
        if text.last() != Some(&b'\n') {
            return Err(BackupError::Truncated { path: self.path.clone(), line: self.line });
        }
        self.line += 1;
        self.digest.update(&text);
        let line = self.line;
        serde_json::from_slice(&text).map_err(|cause| BackupError::Line { path: path.clone(), line, cause })
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
