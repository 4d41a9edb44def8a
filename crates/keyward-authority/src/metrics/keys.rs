//! What is said of realms' signing keys.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::catalogue;
use crate::signing::{KeyState, WatchedKeys};

/// The metrics of signing keys.
#[derive(Debug)]
pub(super) struct KeyMetrics {
    counts: Family<KeyLabels, Gauge>,
    next_steps: Family<KeyLabels, Gauge>,
    closed: Family<RealmLabel, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KeyLabels {
    realm: String,
    algorithm: String,
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RealmLabel {
    realm: String,
}

impl KeyMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            counts: catalogue::SIGNING_KEYS.register(registry, Family::default()),
            next_steps: catalogue::SIGNING_KEY_NEXT_STEP.register(registry, Family::default()),
            closed: catalogue::SIGNING_KEYS_CLOSED.register(registry, Family::default()),
        }
    }

    /// What is so now, by realm. Nothing else is said any more.
    pub(super) fn set(&self, realms: &[(String, WatchedKeys)]) {
        self.counts.clear();
        self.next_steps.clear();
        self.closed.clear();
        for (realm, keys) in realms {
            self.closed.get_or_create(&RealmLabel { realm: realm.clone() }).set(keys.are_closed.into());
            for watched in &keys.states {
                let (realm, algorithm) = (realm.clone(), watched.algorithm.clone());
                let labels = KeyLabels { realm, algorithm, state: label(watched.state) };
                self.counts.get_or_create(&labels).set(watched.count);
                if let Some(next_step) = watched.next_step {
                    self.next_steps.get_or_create(&labels).set(next_step);
                }
            }
        }
    }

    /// Gives each family a sample.
    #[cfg(test)]
    pub(super) fn show_all(&self) {
        use crate::signing::WatchedState;
        let (algorithm, state) = ("ES256".to_owned(), KeyState::Active);
        let watched = WatchedState { algorithm, state, count: 1, next_step: Some(0) };
        self.set(&[("main".to_owned(), WatchedKeys { states: vec![watched], are_closed: false })]);
    }
}

const fn label(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::Passive => "passive",
        KeyState::Published => "published",
        KeyState::Retired => "retired",
    }
}
