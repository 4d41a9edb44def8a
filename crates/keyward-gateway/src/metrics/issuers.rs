//! What is shown of the issuers' key sets, as it is at the moment of the scrape.

use std::sync::atomic::AtomicU64;

use keyward::IssuerStatus;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Issuer, IssuerState, catalogue};

/// The metrics of key sets, by issuer.
#[derive(Debug)]
pub(super) struct IssuerMetrics {
    age: Family<Issuer, Gauge>,
    usable_for: Family<Issuer, Gauge>,
    stale_limit: Family<Issuer, Gauge>,
    usable: Family<Issuer, Gauge>,
    failures: Family<Issuer, Gauge>,
    keys: Family<IssuerState, Gauge>,
    snapshot: Family<Issuer, Gauge>,
    clock_ahead: Family<Issuer, Gauge<f64, AtomicU64>>,
}

impl IssuerMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            age: catalogue::JWKS_AGE.register(registry, Family::default()),
            usable_for: catalogue::JWKS_USABLE_FOR.register(registry, Family::default()),
            stale_limit: catalogue::JWKS_STALE_LIMIT.register(registry, Family::default()),
            usable: catalogue::JWKS_USABLE.register(registry, Family::default()),
            failures: catalogue::JWKS_REFRESH_FAILURES.register(registry, Family::default()),
            keys: catalogue::JWKS_KEYS.register(registry, Family::default()),
            snapshot: catalogue::JWKS_SNAPSHOT_IN_USE.register(registry, Family::default()),
            clock_ahead: catalogue::CLOCK_AHEAD.register(registry, Family::default()),
        }
    }

    /// Begins a scrape with no issuers, so that none stays that is no longer configured.
    pub(super) fn clear(&self) {
        let Self { age, usable_for, stale_limit, usable, failures, keys, snapshot, clock_ahead } = self;
        for gauges in [age, usable_for, stale_limit, usable, failures, snapshot] {
            gauges.clear();
        }
        keys.clear();
        clock_ahead.clear();
    }

    pub(super) fn set(&self, status: &IssuerStatus) {
        let label = Issuer { issuer: status.name.clone() };
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let Some(age) = status.age_seconds {
            self.age.get_or_create(&label).set(signed(age));
        }
        // Where nothing was ever fetched it is 0, so that an alert on it fires. A secret has no such time.
        if status.state != "fixed" {
            self.usable_for.get_or_create(&label).set(signed(status.usable_for_seconds.unwrap_or(0)));
        }
        if let Some(limit) = status.stale_limit_seconds {
            self.stale_limit.get_or_create(&label).set(signed(limit));
        }
        if let Some(ahead) = status.clock_ahead_seconds {
            self.clock_ahead.get_or_create(&label).set(ahead);
        }
        self.usable.get_or_create(&label).set(i64::from(status.usable));
        self.failures.get_or_create(&label).set(i64::from(status.failures));
        self.snapshot.get_or_create(&label).set(i64::from(status.source == Some("snapshot")));
        for (state, count) in [("usable", status.keys.len()), ("skipped", status.skipped.len())] {
            let label = IssuerState { issuer: status.name.clone(), state };
            self.keys.get_or_create(&label).set(signed(count as u64));
        }
    }

    /// Gives each family a sample.
    #[cfg(test)]
    pub(super) fn show_all(&self) {
        let Self { age, usable_for, stale_limit, usable, failures, keys, snapshot, clock_ahead } = self;
        for gauge in [age, usable_for, stale_limit, usable, failures, snapshot] {
            drop(gauge.get_or_create(&Issuer { issuer: String::new() }));
        }
        drop(clock_ahead.get_or_create(&Issuer { issuer: String::new() }));
        drop(keys.get_or_create(&IssuerState { issuer: String::new(), state: "usable" }));
    }
}
