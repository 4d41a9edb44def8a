//! Spans as they are sent.

use std::time::Duration;

use super::otlp::{
    AnyValue, ExportRequest, InstrumentationScope, KeyValue, One, Resource, ResourceSpans, ScopeSpans,
    Status, WireSpan,
};
use super::span::{Attribute, Kind, Span, Value};

/// These spans in one request.
pub(super) fn request(service_name: &str, spans: &[Span]) -> ExportRequest {
    let version = env!("CARGO_PKG_VERSION");
    let resource =
        Resource { attributes: vec![text("service.name", service_name), text("service.version", version)] };
    let scope = InstrumentationScope { name: "keyward".to_owned(), version: version.to_owned() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: spans.iter().map(WireSpan::from).collect() };
    ExportRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans] }],
    }
}

impl From<&Span> for WireSpan {
    fn from(span: &Span) -> Self {
        Self {
            trace_id: span.context.trace_id().get().to_be_bytes().to_vec(),
            span_id: span.context.span_id().get().to_be_bytes().to_vec(),
            trace_state: span.context.state().unwrap_or_default().to_owned(),
            parent_span_id: span.parent.map(|id| id.get().to_be_bytes().to_vec()).unwrap_or_default(),
            name: span.name.to_owned(),
            kind: match span.kind {
                Kind::Server => 2,
                Kind::Client => 3,
            },
            start_time_unix_nano: nanoseconds(span.ended.saturating_sub(span.took)),
            end_time_unix_nano: nanoseconds(span.ended),
            attributes: span.attributes.iter().map(KeyValue::from).collect(),
            status: span.failure.map(|failure| Status { message: failure.to_owned(), code: 2 }),
            flags: u32::from(span.context.is_sampled()),
        }
    }
}

impl From<&Attribute> for KeyValue {
    fn from(attribute: &Attribute) -> Self {
        let value = match &attribute.value {
            Value::Label(label) => One::Text((*label).to_owned()),
            Value::Number(number) => One::Number(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Text(text) => One::Text(text.to_string()),
        };
        Self { key: attribute.name.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(One::Text(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value) }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
