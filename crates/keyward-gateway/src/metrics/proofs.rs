//! What is counted of the memory of used proofs that gateways share.

use keyward::event::Event;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Outcome;

/// How questions end.
const OUTCOMES: [&str; 5] = ["refused", "remembered", "replayed", "timed_out", "unreachable"];

/// The metrics of a shared memory.
#[derive(Debug)]
pub(super) struct ProofMetrics {
    asked: Family<Outcome, Counter>,
    bypassed: Counter,
}

impl ProofMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let asked = Family::default();
        registry.register(
            "dpop_shared_memory_requests",
            "Questions to the shared memory of used DPoP proofs, by outcome: the proof is new and remembered, or replayed; it refused, timed out or was unreachable",
            asked.clone(),
        );
        for outcome in OUTCOMES {
            // From the start on: a rate needs a zero to rise from.
            drop(asked.get_or_create(&Outcome { outcome }));
        }
        let bypassed = Counter::default();
        registry.register(
            "dpop_unshared_proofs",
            "DPoP proofs that passed without the shared memory, which could not be asked (when_down = local)",
            bypassed.clone(),
        );
        Self { asked, bypassed }
    }

    pub(super) fn observe(&self, event: &Event<'_>) {
        match event {
            Event::ProofMemoryAsked { outcome, .. } => {
                self.asked.get_or_create(&Outcome { outcome }).inc();
            }
            Event::ProofMemoryBypassed => {
                self.bypassed.inc();
            }
            _ => {}
        }
    }
}
