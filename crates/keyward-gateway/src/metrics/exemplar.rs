//! Which trace a sample is an example of.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::histogram::Histogram;

use crate::traces::RequestTrace;

/// The labels of an exemplar: 71 of the 128 octets that OpenMetrics allows.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Exemplar {
    trace_id: String,
    span_id: String,
}

/// Times, with examples where there are traces: without them, each time costs one lock less.
#[derive(Clone, Debug)]
pub(super) enum Duration {
    Exemplified(HistogramWithExemplars<Exemplar>),
    Plain(Histogram),
}

impl Exemplar {
    pub(super) fn of(trace: &RequestTrace) -> Self {
        Self { trace_id: trace.id(), span_id: trace.span_id() }
    }
}

impl Duration {
    pub(super) fn new(buckets: &[f64], has_traces: bool) -> Self {
        let buckets = buckets.iter().copied();
        if has_traces {
            Self::Exemplified(HistogramWithExemplars::new(buckets))
        } else {
            Self::Plain(Histogram::new(buckets))
        }
    }

    #[inline]
    pub(super) fn observe(&self, seconds: f64) {
        match self {
            Self::Plain(histogram) => histogram.observe(seconds),
            Self::Exemplified(histogram) => histogram.observe(seconds, None, None),
        }
    }

    pub(super) fn observe_example(&self, seconds: f64, exemplar: Exemplar) {
        match self {
            Self::Plain(histogram) => histogram.observe(seconds),
            Self::Exemplified(histogram) => histogram.observe(seconds, Some(exemplar), None),
        }
    }
}

impl EncodeMetric for Duration {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Plain(histogram) => histogram.encode(encoder),
            Self::Exemplified(histogram) => histogram.encode(encoder),
        }
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
