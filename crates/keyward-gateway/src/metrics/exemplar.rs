//! Which trace a sample is an example of.

use prometheus_client::encoding::EncodeLabelSet;

use crate::traces::RequestTrace;

/// The labels of an exemplar: 71 of the 128 octets that OpenMetrics allows.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Exemplar {
    trace_id: String,
    span_id: String,
}

impl Exemplar {
    pub(super) fn of(trace: &RequestTrace) -> Self {
        Self { trace_id: trace.id(), span_id: trace.span_id() }
    }
}
