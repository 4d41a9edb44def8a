//! The task that closes the recorder's seconds.

use std::sync::Arc;
use std::time::Duration;

use crate::observers::Observers;

/// How often a second is closed.
const SECOND: Duration = Duration::from_secs(1);

/// Never ends.
pub(crate) async fn watch(observers: Arc<Observers>) {
    loop {
        tokio::time::sleep(SECOND).await;
        observers.recorder.tick();
    }
}
