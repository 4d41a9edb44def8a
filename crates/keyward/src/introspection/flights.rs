//! Calls that are under way, by what they are about: whoever asks the same waits for the same answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyward_verify::introspection::{Answer, Failure, Flight};
use tokio::sync::watch;

/// What comes of a call.
pub(super) type Outcome = Result<Answer, Failure>;

/// The calls that are under way.
#[derive(Debug, Default)]
pub(super) struct Flights {
    waiting: Mutex<HashMap<Flight, Waiting>>,
}

/// Waits for what comes of a call.
#[derive(Clone, Debug)]
pub(super) struct Waiting(watch::Receiver<Option<Outcome>>);

/// A call that somebody makes. However it ends, nobody waits for it any longer.
#[derive(Debug)]
pub(super) struct UnderWay {
    flights: Arc<Flights>,
    flight: Flight,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Flights {
    /// Waits for the call that is under way, or makes one where `may_call` allows it.
    pub(super) fn join<P>(
        self: &Arc<Self>,
        flight: Flight,
        may_call: impl FnOnce() -> Result<P, Failure>,
    ) -> Result<(Waiting, Option<(UnderWay, P)>), Failure> {
        let mut waiting = self.waiting();
        if let Some(waiting) = waiting.get(&flight) {
            return Ok((waiting.clone(), None));
        }
        let permission = may_call()?;
        let (outcome, receiver) = watch::channel(None);
        let joined = Waiting(receiver);
        waiting.insert(flight, joined.clone());
        let under_way = UnderWay { flights: Arc::clone(self), flight, outcome };
        Ok((joined, Some((under_way, permission))))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Flight, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// What comes of it. Where whoever made it is gone, it broke.
    pub(super) async fn outcome(mut self) -> Outcome {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(Failure::Transport)),
            Err(_) => Err(Failure::Transport),
        }
    }
}

impl UnderWay {
    pub(super) fn landed(self, outcome: Outcome) {
        // Where nobody waits any more, nobody needs it.
        let _ = self.outcome.send(Some(outcome));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.flights.waiting().remove(&self.flight);
    }
}
