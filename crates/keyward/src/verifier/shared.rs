//! Asks the memory of used proofs that processes share, and tells how it fares.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyward_verify::binding::ReplayKey;
use keyward_verify::{MonoTime, Reason};

use crate::clock::Clock;
use crate::event::{self, Event, Observer};
use crate::health::{Failing, Health};
use crate::shared_replay::{SharedReplay, SharedReplayError, SharedReplaySettings, WhenDown};

/// The shared memory, as it was configured.
#[derive(Clone, Debug)]
pub(super) struct SharedPlan {
    pub(super) memory: Arc<dyn SharedReplay>,
    pub(super) settings: SharedReplaySettings,
}

/// The shared memory, and how it fares.
#[derive(Debug)]
pub(super) struct Shared {
    plan: SharedPlan,
    health: Arc<Mutex<Health<&'static str>>>,
}

impl Shared {
    /// `previous` knows what was told of it so far.
    pub(super) fn new(plan: SharedPlan, previous: Option<&Self>) -> Self {
        let health = previous.map_or_else(Arc::default, |previous| Arc::clone(&previous.health));
        Self { plan, health }
    }

    /// Whether a proof that is new here may pass, which is to be remembered for this long.
    pub(super) async fn admits(
        &self,
        clock: &dyn Clock,
        observer: &dyn Observer,
        key: &ReplayKey,
        time: Duration,
    ) -> Result<(), Reason> {
        let SharedPlan { memory, settings } = &self.plan;
        let began = clock.mono();
        let answer = tokio::time::timeout(settings.timeout, memory.remember(key, time)).await;
        let answer = answer.unwrap_or(Err(SharedReplayError::TimedOut));
        let now = clock.mono();
        let outcome = match &answer {
            Ok(true) => "remembered",
            Ok(false) => "replayed",
            Err(error) => error.label(),
        };
        let took = now.saturating_since(began);
        tell(observer, &Event::ProofMemoryAsked { outcome, took });
        match answer {
            Ok(is_new) => {
                self.succeeded(now, observer);
                if is_new { Ok(()) } else { Err(Reason::ProofReplayed) }
            }
            Err(error) => {
                self.failed(now, observer, &error);
                match settings.when_down {
                    WhenDown::Local => {
                        tell(observer, &Event::ProofMemoryBypassed);
                        Ok(())
                    }
                    WhenDown::Refuse => Err(Reason::ProofMemoryUnavailable),
                }
            }
        }
    }

    fn succeeded(&self, now: MonoTime, observer: &dyn Observer) {
        let recovered = self.health().succeeded(now);
        if let Some(Failing { since, failures, .. }) = recovered {
            let after = now.saturating_since(since);
            tell(observer, &Event::ProofMemoryRecovered { failures, after });
        }
    }

    fn failed(&self, now: MonoTime, observer: &dyn Observer, error: &SharedReplayError) {
        let failing = self.health().failed(now, error.label(), error.to_string());
        if let Some(Failing { since, failures, failure: cause, why, .. }) = failing {
            let (since, when_down) = (now.saturating_since(since), self.plan.settings.when_down);
            tell(observer, &Event::ProofMemoryFailed { cause, why: &why, failures, since, when_down });
        }
    }

    fn health(&self) -> MutexGuard<'_, Health<&'static str>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It is no issuer's matter.
fn tell(observer: &dyn Observer, event: &Event<'_>) {
    event::log("", event);
    observer.observe("", event);
}
