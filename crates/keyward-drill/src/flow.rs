//! Streams of requests: each as many a second as its plan says, whether they are answered or not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_lab::token::TokenPlan;
use keyward_lab::{CommandError, Lab};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::drill::{Header, Stream};
use crate::error::RunError;
use crate::seen::Seen;
use crate::subject::Subject;
use crate::tally::Tally;

/// How many requests of one stream may be open. More are not sent: whoever hangs is not to be drowned.
const OPEN_LIMIT: usize = 4096;

/// Where the tokens of one stream come from, through all phases.
#[derive(Clone, Debug)]
pub(crate) struct Supply {
    name: String,
    stream: Stream,
    lab: Lab,
    current: Arc<Mutex<Option<Made>>>,
}

/// A token, and when it was made.
type Made = (Instant, Arc<str>);

impl Supply {
    pub(crate) fn new(name: &str, stream: &Stream, lab: &Lab) -> Self {
        Self { name: name.to_owned(), stream: stream.clone(), lab: lab.clone(), current: Arc::default() }
    }

    /// The name of the stream.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its tokens are good ones, with nothing special about them.
    pub(crate) fn is_good(&self) -> bool {
        let opaque = self.stream.token.opaque;
        let is_whole = self.stream.header == Header::Kept;
        is_whole && self.stream.token == TokenPlan { opaque, ..TokenPlan::default() }
    }

    /// The token to send now.
    pub(crate) fn next(&self, now: Instant) -> Result<Arc<str>, RunError> {
        let mut current = lock(&self.current);
        if let Some((made, token)) = &*current
            && now.saturating_duration_since(*made) < self.stream.renew()
        {
            return Ok(Arc::clone(token));
        }
        let token: Arc<str> = self
            .lab
            .token(self.stream.issuer.as_deref(), &self.stream.token)
            .map_err(|cause: CommandError| RunError::Token { stream: self.name.clone(), cause })?
            .into();
        *current = Some((now, Arc::clone(&token)));
        Ok(token)
    }

    /// The next token is a new one.
    pub(crate) fn renew(&self) {
        lock(&self.current).take();
    }
}

/// The time in which a stream flows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) begins: Instant,
    /// From when on verdicts are judged.
    pub(crate) settled: Instant,
    pub(crate) ends: Instant,
}

/// Sends the requests of one stream in one phase. It comes back when the last was sent; answers that are still
/// to come are counted as they do, by tasks in `open`.
pub(crate) async fn flow<S: Subject>(
    supply: Supply,
    subject: Arc<S>,
    span: Span,
    tally: Arc<Mutex<Tally>>,
) -> Result<JoinSet<()>, RunError> {
    let gap = Duration::from_secs_f64(1.0 / supply.stream.rate.max(1e-9));
    let places = Arc::new(Semaphore::new(OPEN_LIMIT));
    let mut open = JoinSet::new();
    let mut due = span.begins;
    while due < span.ends {
        sleep_until(due).await;
        while open.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            lock(&tally).hold_back();
            due += gap;
            continue;
        };
        let token = supply.next(Instant::now())?;
        let (subject, tally) = (Arc::clone(&subject), Arc::clone(&tally));
        let (sent, is_judged) = (due - span.begins, due >= span.settled);
        let header = supply.stream.header;
        open.spawn(async move {
            let _place = place;
            let asked = Instant::now();
            let outcome = subject.ask(&token, header).await;
            let seen = Seen { outcome, took: asked.elapsed() };
            let mut tally = lock(&tally);
            if is_judged { tally.add(sent, seen) } else { tally.add_unsettled() }
        });
        due += gap;
    }
    Ok(open)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
