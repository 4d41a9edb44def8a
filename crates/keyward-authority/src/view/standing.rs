//! How a view stands to the log.

use std::time::Duration;

use super::{BOUND, View};
use crate::storage::Position;

impl View {
    /// Up to where this node has read the log.
    pub fn position(&self) -> Position {
        self.memory.seen()
    }

    /// How long ago this node last was at the log's head; none where it never was.
    pub fn age(&self) -> Option<Duration> {
        Some(self.clock.mono().saturating_since(self.memory.current_since()?))
    }

    /// Whether it goes by what it remembers: where it does not, the database cannot be read.
    pub fn is_current(&self) -> bool {
        self.age().is_some_and(|age| age <= BOUND)
    }
}
