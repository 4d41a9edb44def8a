//! Sends spans to the receiver, some at a time.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use keyward::MonoTime;
use keyward::clock::Clock;
use keyward::fetch::{OutgoingRequest, Transport, retry_after};
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use url::Url;

use super::batch;
use super::otlp::ExportResponse;
use super::span::Span;
use crate::config::TracesSettings;
use crate::events;
use crate::metrics::SpanCounters;

/// The most spans of one request.
const BATCH: usize = 512;

/// How long a span waits for others to go with it.
const BATCH_TIME: Duration = Duration::from_secs(1);

/// How often a request is made where the receiver could not be reached or asks for another attempt.
const ATTEMPTS: u32 = 3;

/// How long is rested after the first attempt; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The longest that a receiver may ask to be left alone.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// The most octets that are read of its answer.
const ANSWER_LIMIT: usize = 64 * 1024;

/// How long the last spans may take when the gateway ends.
const LAST_TIME: Duration = Duration::from_secs(1);

/// How often is told that spans are lost.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// Sends what comes out of the queue.
#[derive(Debug)]
pub(crate) struct Exporter {
    ending: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Sending {
    transport: Arc<dyn Transport>,
    endpoint: Url,
    headers: HeaderMap,
    service_name: String,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    counters: SpanCounters,
    /// When it was last told that spans are lost; none while they are sent.
    told: Option<MonoTime>,
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the receiver answers {0}")]
    Status(StatusCode, Option<Duration>),
    #[error("the receiver did not answer in time")]
    TimedOut,
    #[error("{0}")]
    Transport(#[from] keyward::fetch::FetchError),
}

impl ExportError {
    /// How long to rest before the same is sent again; none where that is of no use.
    fn rest(&self, attempt: u32) -> Option<Duration> {
        let rest = FIRST_REST.saturating_mul(1 << attempt);
        match self {
            Self::Status(status, asked) => {
                let is_passing = matches!(status.as_u16(), 429 | 502 | 503 | 504);
                is_passing.then(|| asked.unwrap_or(rest).min(LONGEST_REST))
            }
            Self::TimedOut | Self::Transport(_) => Some(rest),
        }
    }
}

impl Exporter {
    /// Begins to send.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn start(
        settings: TracesSettings,
        spans: mpsc::Receiver<Span>,
        clock: Arc<dyn Clock>,
        counters: SpanCounters,
    ) -> Self {
        let TracesSettings { transport, endpoint, mut headers, service_name, timeout, .. } = settings;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let sending =
            Sending { transport, endpoint, headers, service_name, timeout, clock, counters, told: None };
        let (ending, ended) = oneshot::channel();
        let task = tokio::spawn(sending.run(spans, ended));
        Self { ending, task }
    }

    /// Sends what is there, as far as it goes in a second.
    pub(crate) async fn end(self) {
        let Self { ending, mut task } = self;
        let _ = ending.send(());
        if tokio::time::timeout(LAST_TIME, &mut task).await.is_err() {
            task.abort();
        }
    }
}

impl Sending {
    /// Ends once it is told to and nothing is left.
    async fn run(mut self, mut spans: mpsc::Receiver<Span>, mut ended: oneshot::Receiver<()>) {
        let mut is_ending = false;
        loop {
            let mut batch = Vec::new();
            if !is_ending {
                is_ending = tokio::select! {
                    gathered = gather(&mut spans, &mut batch) => !gathered,
                    _ = &mut ended => true,
                };
            }
            if is_ending {
                while let Some(span) = (batch.len() < BATCH).then(|| spans.try_recv().ok()).flatten() {
                    batch.push(span);
                }
                if batch.is_empty() {
                    return;
                }
            }
            self.send(&batch).await;
        }
    }

    async fn send(&mut self, batch: &[Span]) {
        let body = Bytes::from(batch::request(&self.service_name, batch).encode_to_vec());
        let request = OutgoingRequest {
            method: Method::POST,
            url: self.endpoint.clone(),
            headers: self.headers.clone(),
            body,
        };
        let count = batch.len() as u64;
        let mut attempt = 0;
        let error = loop {
            match self.post(&request).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.counters.sent.inc_by(count - rejected);
                    self.counters.lost.inc_by(rejected);
                    self.recovered();
                    return;
                }
                Err(error) => match error.rest(attempt) {
                    Some(rest) if attempt + 1 < ATTEMPTS => {
                        attempt += 1;
                        tokio::time::sleep(rest).await;
                    }
                    _ => break error,
                },
            }
        };
        self.counters.lost.inc_by(count);
        self.failed(&error);
    }

    /// Sends it once: how many spans the receiver did not take.
    async fn post(&self, request: &OutgoingRequest) -> Result<u64, ExportError> {
        let exchange = async {
            let response = self.transport.send(request).await?;
            let (head, body) = response.into_parts();
            if !head.status.is_success() {
                return Err(ExportError::Status(head.status, retry_after(&head.headers)));
            }
            // It has them; what it says beside that is of no use where it cannot be read.
            let body = Limited::new(body, ANSWER_LIMIT).collect().await;
            let said = body.ok().and_then(|body| ExportResponse::decode(body.to_bytes()).ok());
            let rejected = said.and_then(|said| said.partial_success).map(|partial| partial.rejected_spans);
            Ok(rejected.and_then(|rejected| u64::try_from(rejected).ok()).unwrap_or_default())
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(ExportError::TimedOut))
    }

    fn failed(&mut self, error: &ExportError) {
        let now = self.clock.mono();
        if self.told.is_none_or(|told| now.saturating_since(told) >= TELL_INTERVAL) {
            self.told = Some(now);
            tracing::warn!(event = events::TRACES_FAILED, "spans are lost: {error}");
        }
    }

    fn recovered(&mut self) {
        if self.told.take().is_some() {
            tracing::info!(event = events::TRACES_RECOVERED, "spans are taken again");
        }
    }
}

/// Waits for a span, and for those that come soon after it; `false` where none will come. What was gathered stays where this
/// is dropped.
async fn gather(spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) -> bool {
    let Some(first) = spans.recv().await else {
        return false;
    };
    batch.push(first);
    let mut over = pin!(tokio::time::sleep(BATCH_TIME));
    while batch.len() < BATCH {
        tokio::select! {
            span = spans.recv() => match span {
                Some(span) => batch.push(span),
                None => return false,
            },
            () = &mut over => break,
        }
    }
    true
}
