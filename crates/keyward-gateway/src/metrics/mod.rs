//! What is counted, under the names that the reference lists.

mod introspection;
mod keys;
mod proofs;
mod tls;

use std::sync::{Mutex, PoisonError};

use keyward::event::{Event, Observer};
use keyward::{FallbackCause, IssuerSettings, IssuerStatus, Reason, Verdict, Verifier};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use introspection::IntrospectionMetrics;
use keys::KeyMetrics;
use proofs::ProofMetrics;
use tls::TlsMetrics;

/// Every metric of the gateway.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    accepted: Counter,
    /// Per reason, in the order of [`Reason::ALL`]: verdicts, and tokens that were invalid.
    refused: Vec<(Counter, Counter)>,
    duration: Histogram,
    public: Counter,
    unclear: Counter,
    connections: Gauge,
    config_reloads: Family<Outcome, Counter>,
    refreshes: Family<IssuerOutcome, Counter>,
    introspection: IntrospectionMetrics,
    keys: KeyMetrics,
    proofs: ProofMetrics,
    tls: TlsMetrics,
    issuers: Mutex<IssuerGauges>,
    cache_entries: Gauge,
    cache_octets: Gauge,
    used_proofs: Gauge,
}

#[derive(Debug, Default)]
struct IssuerGauges {
    age: Family<Issuer, Gauge>,
    usable_for: Family<Issuer, Gauge>,
    usable: Family<Issuer, Gauge>,
    failures: Family<Issuer, Gauge>,
    keys: Family<IssuerState, Gauge>,
    snapshot: Family<Issuer, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Issuer {
    pub(super) issuer: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct IssuerOutcome {
    pub(super) issuer: String,
    pub(super) outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct IssuerState {
    pub(super) issuer: String,
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct VerdictLabels {
    verdict: &'static str,
    reason: &'static str,
}

/// From a remembered verdict to a request that waited for a fetch, in seconds.
const BUCKETS: [f64; 12] = [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 1e-3, 1e-2, 0.1, 1.0, 5.0];

impl Metrics {
    pub(crate) fn new(namespace: &str) -> Self {
        let mut registry = Registry::default();
        let invalid = Family::<ReasonLabel, Counter>::default();
        registry.register(
            "auth_jwt_invalid",
            "Tokens that were rejected, by reason; what could not be decided is not among them",
            invalid.clone(),
        );
        let own = registry.sub_registry_with_prefix(namespace);
        let verdicts = Family::<VerdictLabels, Counter>::default();
        own.register("verdicts", "Verdicts, by verdict and reason", verdicts.clone());
        let duration = Histogram::new(BUCKETS);
        own.register(
            "jwt_validation_duration_seconds",
            "Time from a request's arrival to its verdict, waits for keys included",
            duration.clone(),
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            own.register(name, help, counter.clone());
            counter
        };
        let public = counter("public_requests", "Requests that passed without a look at tokens");
        let unclear =
            counter("unclear_requests", "Requests of which a proxy's headers did not tell the route");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            own.register(name, help, gauge.clone());
            gauge
        };
        let connections = gauge("connections", "Open connections to the forward-auth listener");
        let cache_entries = gauge("verdict_cache_entries", "Remembered verdicts");
        let cache_octets = gauge("verdict_cache_octets", "Memory of remembered verdicts, in octets");
        let used_proofs = gauge("dpop_used_proofs", "DPoP proofs that are remembered as used");
        let config_reloads = Family::default();
        own.register("config_reloads", "Changes of the configuration, by outcome", config_reloads.clone());
        for outcome in ["reloaded", "refused"] {
            // From the start on: a rate needs a zero to rise from.
            drop(config_reloads.get_or_create(&Outcome { outcome }));
        }
        let refreshes = Family::default();
        own.register("jwks_refreshes", "Fetches of key sets, by issuer and outcome", refreshes.clone());
        let introspection = IntrospectionMetrics::register(own);
        let tls = TlsMetrics::register(own);
        let issuers = Mutex::new(IssuerGauges::register(own));
        let keys = KeyMetrics::register(own);
        let proofs = ProofMetrics::register(own);
        let refused = Reason::ALL
            .iter()
            .map(|reason| {
                let label = reason.label();
                let verdict = Verdict::from(*reason).label();
                let verdicts = verdicts.get_or_create_owned(&VerdictLabels { verdict, reason: label });
                // A request without a token, and a token that nobody could judge, are no invalid tokens.
                let counts = verdict == "reject" && *reason != Reason::MissingToken;
                let invalid = if counts {
                    invalid.get_or_create_owned(&ReasonLabel { reason: label })
                } else {
                    Counter::default()
                };
                (verdicts, invalid)
            })
            .collect();
        let accepted = verdicts.get_or_create_owned(&VerdictLabels { verdict: "accept", reason: "" });
        Self {
            registry,
            accepted,
            refused,
            duration,
            public,
            unclear,
            connections,
            config_reloads,
            refreshes,
            introspection,
            keys,
            proofs,
            tls,
            issuers,
            cache_entries,
            cache_octets,
            used_proofs,
        }
    }

    pub(crate) fn verdict(&self, reason: Option<Reason>, seconds: f64) {
        self.duration.observe(seconds);
        match reason.map(|reason| self.refused.get(reason as usize)) {
            None => {
                self.accepted.inc();
            }
            Some(Some((verdicts, invalid))) => {
                verdicts.inc();
                invalid.inc();
            }
            Some(None) => {}
        }
    }

    pub(crate) fn public_request(&self) {
        self.public.inc();
    }

    pub(crate) fn unclear_request(&self) {
        self.unclear.inc();
    }

    /// Counts a connection for as long as this is kept.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    pub(crate) fn tls_handshake(&self, listener: &'static str, outcome: &'static str) {
        self.tls.handshake(listener, outcome);
    }

    pub(crate) fn tls_certificate(&self, listener: &'static str, not_after: Option<i64>) {
        self.tls.certificate(listener, not_after);
    }

    pub(crate) fn config_reload(&self, outcome: &'static str) {
        self.config_reloads.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn fallback_verdict(&self, issuer: &str, cause: FallbackCause) {
        self.introspection.fallback_verdict(issuer, cause);
    }

    /// Shows what can happen at these issuers before it does: a rate needs a zero to rise from.
    pub(crate) fn expect(&self, issuers: &[IssuerSettings]) {
        for issuer in issuers {
            self.introspection.expect(issuer);
        }
    }

    /// Everything, in the text format of OpenMetrics.
    pub(crate) fn encode(&self, verifier: &Verifier) -> String {
        // One scrape at a time: each begins with no issuers, so that none stays that is no longer configured.
        let issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.clear();
        self.introspection.clear();
        self.keys.clear();
        for status in verifier.status() {
            issuers.set(&status);
            self.keys.set(&status);
            if let Some(introspection) = &status.introspection {
                self.introspection.set(&status.name, introspection);
            }
        }
        let (entries, octets) = verifier.cache_size();
        self.cache_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cache_octets.set(i64::try_from(octets).unwrap_or(i64::MAX));
        self.used_proofs.set(i64::try_from(verifier.used_proofs()).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl IssuerGauges {
    /// Gives each family a sample.
    fn show_all(&self) {
        let Self { age, usable_for, usable, failures, keys, snapshot } = self;
        for gauge in [age, usable_for, usable, failures, snapshot] {
            drop(gauge.get_or_create(&Issuer { issuer: String::new() }));
        }
        drop(keys.get_or_create(&IssuerState { issuer: String::new(), state: "usable" }));
    }

    fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        let Self { age, usable_for, usable, failures, keys, snapshot } = &gauges;
        registry.register("jwks_age_seconds", "Age of the key set, by issuer", age.clone());
        registry.register(
            "jwks_usable_for_seconds",
            "Time until the key set reaches its stale limit, by issuer",
            usable_for.clone(),
        );
        registry.register("jwks_usable", "1 where the issuer's tokens can be verified", usable.clone());
        registry.register("jwks_refresh_failures", "Failed fetches in a row, by issuer", failures.clone());
        registry.register("jwks_keys", "Keys of the set, by issuer and state", keys.clone());
        registry.register("jwks_snapshot_in_use", "1 where the keys came from the disk", snapshot.clone());
        gauges
    }

    fn clear(&self) {
        let Self { age, usable_for, usable, failures, keys, snapshot } = self;
        for gauges in [age, usable_for, usable, failures, snapshot] {
            gauges.clear();
        }
        keys.clear();
    }

    fn set(&self, status: &IssuerStatus) {
        let label = Issuer { issuer: status.name.clone() };
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        if let Some(age) = status.age_seconds {
            self.age.get_or_create(&label).set(signed(age));
        }
        // Where nothing was ever fetched it is 0, so that an alert on it fires. A secret has no such time.
        if status.state != "fixed" {
            self.usable_for.get_or_create(&label).set(signed(status.usable_for_seconds.unwrap_or(0)));
        }
        self.usable.get_or_create(&label).set(i64::from(status.usable));
        self.failures.get_or_create(&label).set(i64::from(status.failures));
        self.snapshot.get_or_create(&label).set(i64::from(status.source == Some("snapshot")));
        for (state, count) in [("usable", status.keys.len()), ("skipped", status.skipped.len())] {
            let label = IssuerState { issuer: status.name.clone(), state };
            self.keys.get_or_create(&label).set(signed(count as u64));
        }
    }
}

impl Observer for Metrics {
    fn observe(&self, issuer: &str, event: &Event<'_>) {
        self.introspection.observe(issuer, event);
        self.proofs.observe(event);
        let outcome = match event {
            Event::RefreshCrashed { .. } => "crashed",
            Event::Refreshed { .. } => "refreshed",
            Event::RefreshFailed { error, .. } => error.label(),
            Event::RefreshRefused { .. } => "no_usable_key",
            _ => return,
        };
        self.refreshes.get_or_create(&IssuerOutcome { issuer: issuer.to_owned(), outcome }).inc();
    }
}

/// The name, kind and help of every metric, in the order of the reference: what `# HELP` and `# TYPE` say.
pub fn metric_names(namespace: &str) -> String {
    let metrics = Metrics::new(namespace);
    // A family without a sample is left out of the text.
    metrics.issuers.lock().unwrap_or_else(PoisonError::into_inner).show_all();
    metrics.introspection.show_all();
    metrics.keys.show_all();
    metrics.tls.show_all();
    let sample = IssuerOutcome { issuer: String::new(), outcome: "refreshed" };
    drop(metrics.refreshes.get_or_create(&sample));
    let mut text = String::new();
    let _ = text::encode(&mut text, &metrics.registry);
    text.lines().filter(|line| line.starts_with("# HELP") || line.starts_with("# TYPE")).fold(
        String::new(),
        |mut names, line| {
            names.push_str(line);
            names.push('\n');
            names
        },
    )
}
