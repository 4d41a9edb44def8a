//! What is counted of the memory of used proofs that gateways share.

use keyward::event::Event;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Outcome, catalogue, label};

/// The metrics of a shared memory.
#[derive(Debug)]
pub(super) struct ProofMetrics {
    asked: Family<Outcome, Counter>,
    bypassed: Counter,
}

impl ProofMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let asked = catalogue::DPOP_SHARED_MEMORY_REQUESTS.register(registry, Family::default());
        for outcome in label::PROOF_OUTCOMES {
            // From the start on: a rate needs a zero to rise from.
            drop(asked.get_or_create(&Outcome { outcome }));
        }
        Self { asked, bypassed: catalogue::DPOP_UNSHARED_PROOFS.register(registry, Counter::default()) }
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
