//! The whole log in a file, and a database made of such a file.

use std::path::Path;

use sqlx::AssertSqlSafe;

use super::backup_file::{BackupReader, BackupWriter};
use super::command::{insert, move_head};
use super::rebuild::BY_THE_LOG;
use super::store::unbounded;
use super::{BackupError, Difference, Position, Store};

/// Events that are read or written at once.
const BATCH: u16 = 500;

/// How far a backup or a restore is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The last event that is done.
    pub done: Position,
    /// The last there is.
    pub head: Position,
}

impl Store {
    /// Writes the log up to its head into a file, which is there when it is whole and readable for its owner alone. Commands go
    /// on meanwhile: what is in the log does not change. Up to which position it was written.
    ///
    /// What is no event is not in it: opaque tokens, what was used once, and when keys were last used.
    ///
    /// # Errors
    /// [`BackupError`]: then there is no file, or still the older one.
    pub async fn backup(
        &self,
        path: &Path,
        mut progress: impl FnMut(Progress),
    ) -> Result<Position, BackupError> {
        let head = self.head().await?;
        let to = path.to_owned();
        let mut writer = blocking(path, move || BackupWriter::create(&to, head)).await?;
        let mut done = Position(0);
        while done < head {
            let mut events = self.events(done, u32::from(BATCH)).await?;
            events.retain(|event| event.position <= head);
            let last = events.last().map_or(done, |event| event.position);
            if events.is_empty() || last.0 - done.0 != i64::try_from(events.len()).unwrap_or(i64::MAX) {
                return Err(BackupError::Different {
                    difference: Difference::Gap { head: head.0, last: last.0, events: done.0 },
                });
            }
            done = last;
            writer = blocking(path, move || writer.events(&events).map(|()| writer)).await?;
            progress(Progress { done, head });
        }
        blocking(path, move || writer.finish()).await?;
        Ok(head)
    }

    /// Makes an empty database what a backup says, in one transaction, after the whole file was found to be as it was written;
    /// then holds the state against the log. Up to which position.
    ///
    /// # Errors
    /// [`BackupError`]: then the database is as empty as it was, but for [`BackupError::Different`].
    pub async fn restore(
        &self,
        path: &Path,
        mut progress: impl FnMut(Progress),
    ) -> Result<Position, BackupError> {
        let from = path.to_owned();
        blocking(path, move || check(&from)).await?;
        let (mut transaction, at) = self.hold_head().await?;
        if at != Position(0) {
            return Err(BackupError::NotEmpty { head: at.0 });
        }
        unbounded(&mut transaction, self.engine).await?;
        let from = path.to_owned();
        let mut reader = blocking(path, move || BackupReader::open(&from)).await?;
        let head = reader.head();
        loop {
            let read = move || reader.events(usize::from(BATCH)).map(|events| (reader, events));
            let (back, events) = blocking(path, read).await?;
            reader = back;
            for event in &events {
                self.watched.within(insert(&mut transaction, event)).await?;
            }
            if let Some(last) = events.last() {
                progress(Progress { done: last.position, head });
            }
            if events.len() < usize::from(BATCH) {
                break;
            }
        }
        move_head(&mut transaction, head).await?;
        let filled = sqlx::query(AssertSqlSafe(format!("INSERT INTO state {BY_THE_LOG}")));
        filled.execute(&mut *transaction).await?;
        transaction.commit().await?;
        match self.verify().await?.into_iter().next() {
            Some(difference) => Err(BackupError::Different { difference }),
            None => Ok(head),
        }
    }
}

/// Reads all of it, and makes nothing of it.
fn check(path: &Path) -> Result<(), BackupError> {
    let mut reader = BackupReader::open(path)?;
    while reader.events(usize::from(BATCH))?.len() == usize::from(BATCH) {}
    Ok(())
}

/// Files are read and written off the async threads.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) => Err(BackupError::File { path: path.to_owned(), cause: ended.into() }),
    }
}
