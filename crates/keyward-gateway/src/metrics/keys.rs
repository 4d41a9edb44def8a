//! What is counted of single keys. Their ids are those that issuers publish now: no stranger adds one.

use std::collections::BTreeMap;

use keyward::{IssuerStatus, KeyStatus};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of keys, by issuer and `kid`.
#[derive(Debug, Default)]
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
        let metrics = Self::default();
        registry.register(
            "key_verdicts",
            "Tokens that a key verified and that were accepted, or refused for its certificate alone, by issuer and kid",
            metrics.verdicts.clone(),
        );
        registry.register(
            "expired_wrapper_verdicts",
            "Those of key_verdicts that came while the X.509 certificate around the key was over, by issuer and kid",
            metrics.expired_wrapper.clone(),
        );
        registry.register(
            "wrapper_certificate_expires_in_seconds",
            "Time until the X.509 certificate around a key is over, negative once it is, by issuer and kid",
            metrics.wrapper_expires_in.clone(),
        );
        metrics
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
            if let Some(seconds) = wrapper.expires_in_seconds {
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
