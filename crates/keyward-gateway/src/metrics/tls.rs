//! What is counted of TLS.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{catalogue, label};

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
        let handshakes = catalogue::TLS_HANDSHAKES.register(registry, Family::default());
        for listener in label::LISTENERS {
            for outcome in label::HANDSHAKES {
                // From the start on: a rate needs a zero to rise from.
                drop(handshakes.get_or_create(&Handshake { listener, outcome }));
            }
        }
        Self {
            handshakes,
            not_after: catalogue::TLS_CERTIFICATE_NOT_AFTER.register(registry, Family::default()),
        }
    }

    /// Gives each family a sample.
    #[cfg(test)]
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
