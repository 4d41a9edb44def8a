//! Several at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What these come to, in their order. They are few: each is looked at whenever one has something to say.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(Running::new).collect();
    poll_fn(|task| {
        let mut is_over = true;
        for one in running.iter_mut().filter(|one| one.outcome.is_none()) {
            match one.future.as_mut().poll(task) {
                Poll::Ready(value) => one.outcome = Some(value),
                Poll::Pending => is_over = false,
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|one| one.outcome).collect()
}

struct Running<F: Future> {
    future: Pin<Box<F>>,
    outcome: Option<F::Output>,
}

impl<F: Future> Running<F> {
    fn new(future: F) -> Self {
        Self { future: Box::pin(future), outcome: None }
    }
}
