//! Traces: a span for each verdict and each call of ours, sent to a receiver of OTLP. Whoever makes one waits for nobody: where
//! the receiver is slow, spans are left out, and counted.

mod batch;
mod exporter;
mod otlp;
mod span;

use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;

use http::HeaderMap;
use keyward::clock::Clock;
use keyward::entropy;
use keyward::trace::{self, Call, TraceContext, Tracer};
use tokio::sync::mpsc;

pub(crate) use exporter::Exporter;
use span::{Attribute, Kind, Span};

use crate::config::TracesSettings;
use crate::metrics::SpanCounters;
use crate::recorder::{Judged, Outcome, Source};

/// Spans that wait for being sent. At some hundred octets each that is about a megabyte.
const QUEUE: usize = 4096;

/// Longer ids of keys are left out.
const KID_LIMIT: usize = 128;

/// Makes spans, and hands those that are recorded to the [`Exporter`].
#[derive(Debug)]
pub(crate) struct Traces {
    /// Of the first 2⁶³ trace ids, those below it are recorded.
    bound: u64,
    follows_parents: bool,
    clock: Arc<dyn Clock>,
    queue: mpsc::Sender<Span>,
    counters: SpanCounters,
}

/// A request that is followed. What is done with one is marked as cold: without traces it must cost nothing.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    /// Its own span.
    context: TraceContext,
    parent: Option<TraceContext>,
}

impl RequestTrace {
    /// The trace, of 32 hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        format!("{:032x}", self.context.trace_id())
    }

    /// Its own span, of 16 hexadecimal digits.
    pub(crate) fn span_id(&self) -> String {
        format!("{:016x}", self.context.span_id())
    }

    /// Whether it is recorded.
    pub(crate) fn is_sampled(&self) -> bool {
        self.context.is_sampled()
    }

    /// Runs `work` for this request.
    pub(crate) async fn within<F: Future>(&self, work: F) -> F::Output {
        trace::within(self.context.clone(), work).await
    }

    /// Tells the proxy what to hand on to the service, whose spans are caused by the verdict.
    #[cold]
    pub(crate) fn hand_on(&self, answer: &mut HeaderMap) {
        self.context.add_to(answer);
    }

    /// The same for a request on which there is no verdict: what came along with it stays as it is.
    pub(crate) fn hand_on_parent(&self, answer: &mut HeaderMap) {
        if let Some(parent) = &self.parent {
            parent.add_to(answer);
        }
    }
}

impl Traces {
    /// What makes spans, and what they come out of.
    pub(crate) fn new(
        settings: &TracesSettings,
        clock: Arc<dyn Clock>,
        counters: SpanCounters,
    ) -> (Self, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(QUEUE);
        // A ratio of 1 is all of them, whatever is lost by rounding.
        let bound = (settings.sampling_ratio * 2_f64.powi(63)) as u64;
        let follows_parents = settings.follow_parents;
        (Self { bound, follows_parents, clock, queue, counters }, spans)
    }

    /// A request begins. It belongs to the trace that came along with it, and is recorded where that is; otherwise it is the
    /// first of its own.
    #[cold]
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Box<RequestTrace> {
        let parent = if self.follows_parents { TraceContext::of(headers) } else { None };
        let context = match &parent {
            Some(parent) => parent.child(span_id()),
            None => {
                let trace_id = trace_id();
                let place = (trace_id.get() as u64) >> 1;
                TraceContext::root(trace_id, span_id(), place < self.bound)
            }
        };
        Box::new(RequestTrace { context, parent })
    }

    /// The request has its verdict.
    pub(crate) fn verdict(&self, trace: &RequestTrace, judged: &Judged<'_>) {
        if !trace.context.is_sampled() {
            return;
        }
        let mut attributes = Vec::with_capacity(6);
        attributes.extend(judged.route.map(|route| Attribute::number("keyward.route", route)));
        let failure = match judged.outcome {
            Outcome::Accepted(verified) => {
                attributes.push(Attribute::label("keyward.verdict", "accept"));
                attributes.push(Attribute::label("keyward.source", Source::of(verified).label()));
                attributes.push(Attribute::text("keyward.issuer", verified.issuer_name()));
                let cause = verified.fallback();
                attributes
                    .extend(cause.map(|cause| Attribute::label("keyward.fallback_cause", cause.label())));
                None
            }
            Outcome::Refused(reason, kid) => {
                let verdict = if reason.is_undecided() { "undecided" } else { "reject" };
                attributes.push(Attribute::label("keyward.verdict", verdict));
                attributes.push(Attribute::label("keyward.reason", reason.label()));
                let kid = kid.filter(|kid| kid.len() <= KID_LIMIT);
                attributes.extend(kid.map(|kid| Attribute::text("keyward.kid", kid)));
                reason.is_undecided().then_some(reason.label())
            }
        };
        self.record(Span {
            name: "keyward.verdict",
            kind: Kind::Server,
            context: trace.context.clone(),
            parent: trace.parent.as_ref().map(TraceContext::span_id),
            ended: self.clock.since_epoch(),
            took: judged.took,
            attributes,
            failure,
        });
    }

    fn record(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.counters.left_out.inc();
        }
    }
}

impl Tracer for Traces {
    /// What nobody's request caused happens seldom, and is recorded always.
    fn begins(&self, cause: Option<&TraceContext>) -> TraceContext {
        match cause {
            Some(cause) => cause.child(span_id()),
            None => TraceContext::root(trace_id(), span_id(), true),
        }
    }

    fn ended(&self, call: &Call<'_>) {
        if !call.context.is_sampled() {
            return;
        }
        let label = call.outcome;
        self.record(Span {
            name: call.kind.span(),
            kind: Kind::Client,
            context: call.context.clone(),
            parent: call.cause.map(TraceContext::span_id),
            ended: self.clock.since_epoch(),
            took: call.took,
            attributes: vec![
                Attribute::text("keyward.issuer", call.issuer),
                Attribute::label("keyward.outcome", label),
            ],
            failure: call.has_failed.then_some(label),
        });
    }
}

fn trace_id() -> NonZeroU128 {
    NonZeroU128::new(entropy::nonce()).unwrap_or(NonZeroU128::MIN)
}

fn span_id() -> NonZeroU64 {
    NonZeroU64::new(entropy::seed()).unwrap_or(NonZeroU64::MIN)
}
