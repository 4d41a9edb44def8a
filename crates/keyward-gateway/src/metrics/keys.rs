//! What is counted of single keys. Their ids are those that issuers publish now: no stranger adds one.

use std::collections::BTreeMap;

use keyward::{IssuerStatus, KeyStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::catalogue;

/// The metrics of keys, by issuer and `kid`.
#[derive(Debug)]
pub(super) struct KeyMetrics {
    verdicts: Family<IssuerKid, Counter>,
    expired_wrapper: Family<IssuerKid, Counter>,
    wrapper_expires_in: Family<IssuerKid, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IssuerKid {
    issuer: String,
    kid: String,
}

impl KeyMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            verdicts: catalogue::KEY_VERDICTS.register(registry, Family::default()),
            expired_wrapper: catalogue::EXPIRED_WRAPPER_VERDICTS.register(registry, Family::default()),
            wrapper_expires_in: catalogue::WRAPPER_EXPIRES_IN.register(registry, Family::default()),
        }
    }

    /// Begins a scrape with no keys, so that none stays that is no longer published.
    pub(super) fn clear(&self) {
        self.verdicts.clear();
        self.expired_wrapper.clear();
        self.wrapper_expires_in.clear();
    }

    pub(super) fn set(&self, status: &IssuerStatus) {
        // Keys that share an id share a line: the sum of verdicts, and the certificate that is over first.
        let mut expires_in = BTreeMap::<String, i64>::new();
        for key in &status.keys {
            let label = || IssuerKid { issuer: status.name.clone(), kid: label_of(key) };
            self.verdicts.get_or_create(&label()).inc_by(key.verdicts);
            let Some(wrapper) = &key.wrapper else {
                continue;
            };
            self.expired_wrapper.get_or_create(&label()).inc_by(key.expired_wrapper_verdicts);
            // Whoever ignores certificates is not told of their ends either, by events or by alerts on this.
            if let Some(seconds) = wrapper.expires_in_seconds.filter(|_| status.wrapper_policy != "ignore") {
                let first = expires_in.entry(label_of(key)).or_insert(seconds);
                *first = seconds.min(*first);
            }
        }
        for (kid, seconds) in expires_in {
            let label = IssuerKid { issuer: status.name.clone(), kid };
            self.wrapper_expires_in.get_or_create(&label).set(seconds);
        }
    }

    /// Gives each family a sample.
    #[cfg(test)]
    pub(super) fn show_all(&self) {
        let label = IssuerKid { issuer: String::new(), kid: String::new() };
        drop(self.verdicts.get_or_create(&label));
        drop(self.expired_wrapper.get_or_create(&label));
        drop(self.wrapper_expires_in.get_or_create(&label));
    }
}

/// The key's id; empty where it has none, and its thumbprint where the id is longer than a label should be.
fn label_of(key: &KeyStatus) -> String {
    const LONGEST: usize = 128;
    match &key.kid {
        Some(kid) if kid.len() > LONGEST => key.thumbprint.clone().unwrap_or_default(),
        kid => kid.clone().unwrap_or_default(),
    }
}
