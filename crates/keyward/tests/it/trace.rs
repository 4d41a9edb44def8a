//! Calls that are followed: who caused them, and who did not.

use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyward::event::{Event, Observer};
use keyward::trace::{self, Call, CallKind, TraceContext, Tracer};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{
    Bench, JWKS, KEYS, Outcome, Provider, Record, Reply, TestClock, discover, outcome, pass, patiently, until,
};

/// Numbers calls in the order that they begin in.
#[derive(Debug, Default)]
struct Follower {
    record: Arc<Record>,
    begun: AtomicU64,
    ended: watch::Sender<Vec<Ended>>,
}

/// The kind, the trace, the span that caused it, and what came of it.
type Ended = (CallKind, u128, Option<u64>, &'static str, bool);

impl Observer for Follower {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        self.record.observe(issuer, event);
    }

    fn tracer(&self) -> Option<&dyn Tracer> {
        Some(self)
    }
}

impl Tracer for Follower {
    fn begins(&self, cause: Option<&TraceContext>) -> TraceContext {
        let number = NonZeroU64::new(1000 + self.begun.fetch_add(1, Ordering::SeqCst)).unwrap();
        match cause {
            Some(cause) => cause.child(number),
            None => TraceContext::root(number.into(), number, true),
        }
    }

    fn ended(&self, call: &Call<'_>) {
        let cause = call.cause.map(|cause| cause.span_id().get());
        let trace_id = call.context.trace_id().get();
        let ended = (call.kind, trace_id, cause, call.outcome, call.has_failed);
        self.ended.send_modify(|calls| calls.push(ended));
    }
}

impl Follower {
    async fn ended(&self, count: usize) -> Vec<Ended> {
        until(|| self.ended.borrow().len() >= count).await;
        self.ended.borrow().clone()
    }
}

fn request(number: u64) -> TraceContext {
    let number = NonZeroU64::new(number).unwrap();
    TraceContext::root(NonZeroU128::new(7).unwrap(), number, true)
}

fn followed(provider: &Provider) -> (Bench, Arc<Follower>) {
    let follower = Arc::new(Follower::default());
    let observer = Arc::clone(&follower);
    let bench =
        Bench::with(TestClock::new(), |builder| builder.issuer(discover(provider)).observer(observer));
    (bench, follower)
}

#[tokio::test]
async fn a_fetch_has_one_cause_and_the_next_one_another() {
    let provider = Provider::start(&KEYS[..1]).await;
    let (bench, follower) = followed(&provider);
    assert_eq!(follower.ended(1).await, [(CallKind::KeySet, 1000, None, "fetched", false)]);
    provider.publish(&KEYS[..2]);
    let mut requests = JoinSet::new();
    for number in 1..=100 {
        let (verifier, new) = (bench.verifier.clone(), bench.token(&KEYS[1], &provider.issuer()));
        requests.spawn(async move {
            outcome(&trace::within(request(number), verifier.verify(new.as_bytes())).await)
        });
    }
    let outcomes = patiently(requests.join_all()).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accept), "{outcomes:?}");
    let calls = follower.ended(2).await;
    let (kind, trace_id, cause, ..) = calls[1];
    assert_eq!((kind, trace_id), (CallKind::KeySet, 7));
    assert!(cause.is_some_and(|cause| (1..=100).contains(&cause)), "{calls:?}");
    // The next one is due in the background: none of them has to do with it, however many waited.
    provider.set(JWKS, Reply::status(500));
    pass(Duration::from_secs(300)).await;
    let calls = follower.ended(3).await;
    let (kind, trace_id, cause, _, has_failed) = calls[2];
    assert_eq!((kind, trace_id, cause, has_failed), (CallKind::KeySet, 1002, None, true));
}

#[tokio::test]
async fn what_is_not_followed_is_fetched_all_the_same() {
    let provider = Provider::start(&KEYS[..1]).await;
    let bench = Bench::ready(discover(&provider)).await;
    provider.publish(&KEYS[..2]);
    let new = bench.token(&KEYS[1], &provider.issuer());
    let verdict = patiently(trace::within(request(1), bench.verifier.verify(new.as_bytes()))).await;
    assert_eq!(outcome(&verdict), Outcome::Accept);
}
