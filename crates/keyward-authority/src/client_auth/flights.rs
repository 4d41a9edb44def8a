//! What several want at once, and is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

/// What is under way, by name.
#[derive(Debug)]
pub(super) struct Flights<K, V> {
    open: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

/// Somebody who waits for what comes of it, or brings it about.
struct Seat<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    name: K,
    cell: Arc<OnceCell<V>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    /// What came of `work`, or of that of another who began with the same name before and has not ended. Where that one goes away,
    /// the next in line does it in its place. Nothing of it is kept once it has ended.
    pub(super) async fn join(&self, name: K, work: impl Future<Output = V>) -> V {
        let cell = Arc::clone(self.lock().entry(name.clone()).or_default());
        let seat = Seat { flights: self, name, cell };
        let outcome = seat.cell.get_or_init(|| work).await.clone();
        // Whoever comes from now on comes after it.
        seat.close();
        outcome
    }
}

impl<K, V> Flights<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<OnceCell<V>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Seat<'_, K, V> {
    fn close(&self) {
        let mut open = self.flights.lock();
        if open.get(&self.name).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell)) {
            open.remove(&self.name);
        }
    }
}

impl<K: Eq + Hash, V> Drop for Seat<'_, K, V> {
    /// The last one who goes away before anything came of it leaves nothing behind.
    fn drop(&mut self) {
        // The map's, and this one's.
        const LAST: usize = 2;
        if self.cell.get().is_none() && Arc::strong_count(&self.cell) <= LAST {
            self.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::*;

    /// Begins something, as far as it comes by itself.
    fn begin<T>(work: std::pin::Pin<&mut impl Future<Output = T>>) {
        assert!(work.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    #[tokio::test]
    async fn what_many_want_at_once_is_done_once_and_the_next_time_again() {
        let (flights, done) = (Flights::default(), Cell::new(0));
        let (land, landed) = oneshot::channel();
        let mut first = pin!(flights.join("a", async {
            done.set(done.get() + 1);
            landed.await
        }));
        begin(first.as_mut());
        let mut others: Vec<_> = (0..100)
            .map(|_| Box::pin(flights.join("a", async { unreachable!("it is under way") })))
            .collect();
        others.iter_mut().for_each(|other| begin(other.as_mut()));
        let another = flights.join("b", async { Ok("b") }).await;
        assert_eq!(another, Ok("b"), "what is called otherwise waits for nobody");
        land.send("done").unwrap();
        assert_eq!(first.await, Ok("done"));
        for other in others {
            assert_eq!(other.await, Ok("done"));
        }
        assert_eq!((done.get(), flights.lock().len()), (1, 0));
        assert_eq!(flights.join("a", async { Ok("again") }).await, Ok("again"));
    }

    #[tokio::test]
    async fn who_goes_away_is_followed_by_the_next_and_the_last_leaves_nothing() {
        let flights = Flights::default();
        let mut first = Box::pin(flights.join("a", pending()));
        begin(first.as_mut());
        let mut second = Box::pin(flights.join("a", async { "second" }));
        begin(second.as_mut());
        drop(first);
        assert_eq!(second.await, "second");
        let mut last = Box::pin(flights.join("a", pending()));
        begin(last.as_mut());
        drop(last);
        assert!(flights.lock().is_empty());
    }
}
