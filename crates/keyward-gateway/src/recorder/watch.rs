//! The tasks that close the recorder's seconds and keep what it has.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::dump::{DumpedFor, Dumps};
use crate::observers::Observers;

/// How often a second is closed.
const SECOND: Duration = Duration::from_secs(1);

/// Closes seconds, and keeps what is recorded when verdicts of a family multiply. Never ends.
pub(crate) async fn watch(observers: Arc<Observers>, dumps: Arc<Dumps>) {
    loop {
        tokio::time::sleep(SECOND).await;
        if let Some(spike) = observers.recorder.tick() {
            dumps.keep(DumpedFor::Spike(spike));
        }
    }
}

/// Keeps what is recorded at each signal. Ends where signals do.
pub(crate) async fn keep_at(mut signal: Signal, dumps: Arc<Dumps>) {
    while signal.recv().await.is_some() {
        dumps.keep(DumpedFor::Signal);
    }
}
