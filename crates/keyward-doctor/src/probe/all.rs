//! Several at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What these come to, in their order. They are few: each is looked at whenever one has something to say.
pub(super) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let pending = |future| (Box::pin(future), None);
    let mut running: Vec<(Pin<Box<F>>, Option<F::Output>)> = futures.into_iter().map(pending).collect();
    poll_fn(|task| {
        let mut is_over = true;
        for (future, outcome) in running.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            match future.as_mut().poll(task) {
                Poll::Ready(value) => *outcome = Some(value),
                Poll::Pending => is_over = false,
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, outcome)| outcome).collect()
}
