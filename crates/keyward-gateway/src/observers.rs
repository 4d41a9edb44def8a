//! Who is told of what happens to keys, endpoints and credentials.

use keyward::event::{Event, Observer};

use crate::metrics::Metrics;
use crate::recorder::Recorder;

/// Who counts, and who remembers.
#[derive(Debug)]
pub(crate) struct Observers {
    pub(crate) metrics: Metrics,
    pub(crate) recorder: Recorder,
}

impl Observer for Observers {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        self.metrics.observe(issuer, event);
        self.recorder.observe(issuer, event);
    }
}
