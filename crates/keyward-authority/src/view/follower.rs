//! Keeps a view up with the log.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::View;
use crate::storage::{Ears, Position, StoreError};

/// How often the log's head is asked for where nobody says that it moved.
const POLL: Duration = Duration::from_millis(200);

/// Events that are read at once.
const BATCH: u32 = 500;

/// A task that keeps a view up with the log. It ends with this.
#[derive(Debug)]
pub struct Follower {
    task: JoinHandle<()>,
}

impl Follower {
    /// Begins to follow, from the head on: nothing that came before is remembered. What this process appends it reads at once, and
    /// with PostgreSQL what any node does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn start(view: &View) -> Result<Self, StoreError> {
        let ears = view.store.listen();
        let head = view.store.head().await?;
        view.memory.begin(head);
        Ok(Self { task: tokio::spawn(follow(view.clone(), head, ears)) })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(view: View, head: Position, mut ears: Ears) {
    let mut seen = head;
    let mut is_failing = false;
    loop {
        match catch_up(&view, seen).await {
            Ok(position) => {
                seen = position;
                if std::mem::take(&mut is_failing) {
                    tracing::info!(event = "log_followed", position = seen.0, "the log is read again");
                }
            }
            // The view stops going by what it remembers by itself.
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::warn!(event = "log_unreadable", "the log cannot be read: {error}");
            }
            Err(_) => {}
        }
        // A notification that is lost costs this long, and no more.
        let _ = timeout(POLL, ears.grown()).await;
    }
}

/// Takes in all that is behind `seen`.
async fn catch_up(view: &View, mut seen: Position) -> Result<Position, StoreError> {
    loop {
        let asked = view.clock.mono();
        let events = view.store.events(seen, BATCH).await?;
        view.memory.take_in(&events);
        if let Some(last) = events.last() {
            seen = last.position;
        }
        if events.len() < BATCH as usize {
            view.memory.is_current(asked);
            return Ok(seen);
        }
    }
}
