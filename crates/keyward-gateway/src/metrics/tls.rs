//! What is counted of TLS.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The listeners, and how their handshakes end.
const LISTENERS: [&str; 2] = ["admin", "gateway"];
const OUTCOMES: [&str; 4] = ["closed", "completed", "failed", "timed_out"];

/// The metrics of TLS, by listener.
#[derive(Debug)]
pub(super) struct TlsMetrics {
    handshakes: Family<Handshake, Counter>,
    not_after: Family<Listener, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Listener {
    listener: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Handshake {
    listener: &'static str,
    outcome: &'static str,
}

impl TlsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let handshakes = Family::default();
        registry.register(
            "tls_handshakes",
            "TLS handshakes with our listeners, by listener and outcome: completed, failed, closed by the client or timed out",
            handshakes.clone(),
        );
        for (listener, outcome) in LISTENERS.iter().flat_map(|l| OUTCOMES.iter().map(move |o| (*l, *o))) {
            // From the start on: a rate needs a zero to rise from.
            drop(handshakes.get_or_create(&Handshake { listener, outcome }));
        }
        let not_after = Family::default();
        registry.register(
            "tls_certificate_not_after_seconds",
            "When the certificate chain of a listener is over, in seconds since 1970, by listener",
            not_after.clone(),
        );
        Self { handshakes, not_after }
    }

    /// Gives each family a sample.
    pub(super) fn show_all(&self) {
        self.certificate("gateway", Some(0));
    }

    /// Until when a listener's chain is valid; none where it has none.
    pub(super) fn certificate(&self, listener: &'static str, not_after: Option<i64>) {
        match not_after {
            Some(not_after) => {
                self.not_after.get_or_create(&Listener { listener }).set(not_after);
            }
            None => {
                self.not_after.remove(&Listener { listener });
            }
        }
    }

    pub(super) fn handshake(&self, listener: &'static str, outcome: &'static str) {
        self.handshakes.get_or_create(&Handshake { listener, outcome }).inc();
    }
}
