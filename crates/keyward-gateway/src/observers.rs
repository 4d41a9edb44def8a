//! Who is told of what happens to keys, endpoints and credentials.

use keyward::event::{Event, Observer};
use keyward::trace::Tracer;

use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::traces::Traces;

/// Who counts, who remembers, and who follows requests, where somebody does.
#[derive(Debug)]
pub(crate) struct Observers {
    pub(crate) metrics: Metrics,
    pub(crate) recorder: Recorder,
    pub(crate) traces: Option<Traces>,
}

impl Observer for Observers {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        self.metrics.observe(issuer, event);
        self.recorder.observe(issuer, event);
    }

    fn tracer(&self) -> Option<&dyn Tracer> {
        self.traces.as_ref().map(|traces| traces as _)
    }
}
