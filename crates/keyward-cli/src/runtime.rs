//! Runtimes: one thread for a command that asks somebody, all cores for one that serves.

use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// A runtime on this thread.
pub(crate) fn single() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)
}

/// A runtime on all cores.
pub(crate) fn full() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(Failure::Runtime)
}
