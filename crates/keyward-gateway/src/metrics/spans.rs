//! What becomes of spans.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Outcome, catalogue};

/// Counts spans by what becomes of them.
#[derive(Clone, Debug)]
pub(crate) struct SpanCounters {
    /// Too many waited.
    pub(crate) left_out: Counter,
    /// The receiver did not take them.
    pub(crate) lost: Counter,
    pub(crate) sent: Counter,
}

impl SpanCounters {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let spans: Family<Outcome, Counter> = catalogue::TRACE_SPANS.register(registry, Family::default());
        let of = |outcome| spans.get_or_create_owned(&Outcome { outcome });
        Self { left_out: of("left_out"), lost: of("lost"), sent: of("sent") }
    }
}
