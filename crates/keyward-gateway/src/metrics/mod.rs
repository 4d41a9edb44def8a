//! What is counted, under the names that the reference lists.

mod catalogue;
mod exemplar;
mod introspection;
mod issuers;
mod keys;
mod label;
mod proofs;
mod spans;
mod tls;

pub use catalogue::METRICS;
pub use keyward_server::metric::{Kind, Label, Metric, Prefix, Values};

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use keyward::event::{Event, Observer};
use keyward::{FallbackCause, IssuerSettings, Reason, Verdict, Verifier};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::CounterWithExemplar;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use exemplar::{Duration, Exemplar};
use introspection::IntrospectionMetrics;
use issuers::IssuerMetrics;
use keys::KeyMetrics;
use proofs::ProofMetrics;
pub(crate) use spans::SpanCounters;
use tls::TlsMetrics;

use crate::traces::RequestTrace;

/// Every metric of the gateway.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    accepted: Counter,
    /// Per reason, in the order of [`Reason::ALL`]: verdicts, and tokens that were invalid.
    refused: Vec<(Counter, CounterWithExemplar<Exemplar>)>,
    duration: Duration,
    public: Counter,
    unclear: Counter,
    connections: Gauge,
    config_reloads: Family<Outcome, Counter>,
    config_refused: Gauge,
    refreshes: Family<IssuerOutcome, Counter>,
    introspection: IntrospectionMetrics,
    keys: KeyMetrics,
    proofs: ProofMetrics,
    tls: TlsMetrics,
    log_lines_left_out: Family<LogEvent, Counter>,
    spans: SpanCounters,
    issuers: Mutex<IssuerMetrics>,
    cache_entries: Gauge,
    cache_octets: Gauge,
    used_proofs: Gauge,
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
struct LogEvent {
    event: &'static str,
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

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Version {
    version: &'static str,
}

/// From a remembered verdict to a request that waited for a fetch, in seconds.
const BUCKETS: [f64; 12] = [2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 1e-3, 1e-2, 0.1, 1.0, 5.0];

impl Metrics {
    /// Those of a gateway with traces have exemplars.
    pub(crate) fn new(namespace: &str, has_traces: bool) -> Self {
        let mut registry = Registry::default();
        let invalid: Family<ReasonLabel, CounterWithExemplar<Exemplar>> =
            catalogue::INVALID.register(&mut registry, Family::default());
        let own = registry.sub_registry_with_prefix(namespace);
        let verdicts: Family<VerdictLabels, Counter> = catalogue::VERDICTS.register(own, Family::default());
        let build: Family<Version, Gauge> = catalogue::BUILD_INFO.register(own, Family::default());
        build.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        // From the start on: a rate needs a zero to rise from.
        let config_reloads = catalogue::CONFIG_RELOADS.register(own, Family::default());
        for outcome in label::RELOADS {
            drop(config_reloads.get_or_create(&Outcome { outcome }));
        }
        let log_lines_left_out = catalogue::LOG_LINES_LEFT_OUT.register(own, Family::default());
        for event in label::SPARED_EVENTS {
            drop(log_lines_left_out.get_or_create(&LogEvent { event }));
        }
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
                    CounterWithExemplar::default()
                };
                (verdicts, invalid)
            })
            .collect();
        let accepted = verdicts.get_or_create_owned(&VerdictLabels { verdict: "accept", reason: "" });
        Self {
            accepted,
            refused,
            duration: catalogue::DURATION.register(own, Duration::new(&BUCKETS, has_traces)),
            public: catalogue::PUBLIC_REQUESTS.register(own, Counter::default()),
            unclear: catalogue::UNCLEAR_REQUESTS.register(own, Counter::default()),
            connections: catalogue::CONNECTIONS.register(own, Gauge::default()),
            config_reloads,
            config_refused: catalogue::CONFIG_REFUSED.register(own, Gauge::default()),
            refreshes: catalogue::JWKS_REFRESHES.register(own, Family::default()),
            introspection: IntrospectionMetrics::register(own),
            keys: KeyMetrics::register(own),
            proofs: ProofMetrics::register(own),
            tls: TlsMetrics::register(own),
            log_lines_left_out,
            spans: SpanCounters::register(own),
            issuers: Mutex::new(IssuerMetrics::register(own)),
            cache_entries: catalogue::CACHE_ENTRIES.register(own, Gauge::default()),
            cache_octets: catalogue::CACHE_OCTETS.register(own, Gauge::default()),
            used_proofs: catalogue::DPOP_USED_PROOFS.register(own, Gauge::default()),
            registry,
        }
    }

    /// A verdict, and the request that it was about where that is followed.
    pub(crate) fn verdict(&self, reason: Option<Reason>, seconds: f64, trace: Option<&RequestTrace>) {
        match trace {
            None => self.untraced_verdict(reason, seconds),
            Some(trace) => self.traced_verdict(reason, seconds, trace),
        }
    }

    #[inline]
    fn untraced_verdict(&self, reason: Option<Reason>, seconds: f64) {
        self.duration.observe(seconds);
        match reason.map(|reason| self.refused.get(reason as usize)) {
            None => {
                self.accepted.inc();
            }
            Some(Some((verdicts, invalid))) => {
                verdicts.inc();
                // By `inc_by`, the exemplar that it has would be gone.
                invalid.inner().fetch_add(1, Ordering::Relaxed);
            }
            Some(None) => {}
        }
    }

    #[cold]
    fn traced_verdict(&self, reason: Option<Reason>, seconds: f64, trace: &RequestTrace) {
        let Some(exemplar) = trace.is_sampled().then(|| Exemplar::of(trace)) else {
            return self.untraced_verdict(reason, seconds);
        };
        match reason.map(|reason| self.refused.get(reason as usize)) {
            None => {
                self.accepted.inc();
            }
            Some(Some((verdicts, invalid))) => {
                verdicts.inc();
                invalid.inc_by(1, Some(exemplar.clone()), None);
            }
            Some(None) => {}
        }
        self.duration.observe_example(seconds, exemplar);
    }

    pub(crate) fn span_counters(&self) -> SpanCounters {
        self.spans.clone()
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
        self.config_refused.set(i64::from(outcome == "refused"));
    }

    pub(crate) fn fallback_verdict(&self, issuer: &str, cause: FallbackCause) {
        self.introspection.fallback_verdict(issuer, cause);
    }

    /// Counts lines of the log that were not written.
    pub(crate) fn log_lines_left_out(&self, event: &'static str, count: u64) {
        self.log_lines_left_out.get_or_create(&LogEvent { event }).inc_by(count);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the text says of a family: its name, kind, unit, help, and its samples' names and labels.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Family {
        name: String,
        kind: String,
        unit: Option<String>,
        help: String,
        samples: BTreeSet<(String, Vec<String>)>,
    }

    #[test]
    fn what_is_encoded_has_the_names_and_labels_of_the_catalogue_and_no_others() {
        let mut encoded = families(&encoded("edge"));
        let mut catalogued: Vec<_> = METRICS.iter().map(|metric| family(metric, "edge")).collect();
        encoded.sort_by(|one, other| one.name.cmp(&other.name));
        catalogued.sort_by(|one, other| one.name.cmp(&other.name));
        let names =
            |families: &[Family]| families.iter().map(|family| family.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&encoded), names(&catalogued));
        for (encoded, catalogued) in encoded.iter().zip(&catalogued) {
            assert_eq!(encoded, catalogued);
        }
    }

    #[test]
    fn the_names_that_others_rely_on_are_to_the_letter() {
        let text = encoded("msaas");
        for name in ["auth_jwt_invalid_total{reason=", "msaas_jwt_validation_duration_seconds_bucket{le="] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name}");
        }
    }

    #[test]
    fn a_name_ends_in_its_unit_and_no_label_comes_twice() {
        for metric in METRICS {
            assert!(metric.unit.is_none_or(|unit| metric.name.ends_with(&format!("_{unit}"))), "{metric:?}");
            assert!(!metric.name.ends_with("_total") && !metric.help.ends_with('.'), "{metric:?}");
            let labels: BTreeSet<_> = metric.labels.iter().map(|label| label.name).collect();
            assert_eq!(labels.len(), metric.labels.len(), "{metric:?}");
        }
    }

    /// With a sample of each family: one without is left out of the text.
    fn encoded(namespace: &str) -> String {
        let metrics = Metrics::new(namespace, true);
        metrics.issuers.lock().unwrap().show_all();
        metrics.introspection.show_all();
        metrics.keys.show_all();
        metrics.tls.show_all();
        let sample = IssuerOutcome { issuer: String::new(), outcome: "refreshed" };
        drop(metrics.refreshes.get_or_create(&sample));
        let mut text = String::new();
        text::encode(&mut text, &metrics.registry).unwrap();
        text
    }

    fn family(metric: &Metric, namespace: &str) -> Family {
        let name = metric.full_name(namespace);
        let labels: Vec<_> = metric.labels.iter().map(|label| label.name.to_owned()).collect();
        let samples = metric.suffixes().iter().map(|suffix| {
            let bucket = (*suffix == "_bucket").then(|| "le".to_owned());
            (format!("{name}{suffix}"), labels.iter().cloned().chain(bucket).collect())
        });
        Family {
            samples: samples.map(|(name, labels): (_, Vec<_>)| (name, sorted(labels))).collect(),
            kind: metric.kind.label().to_owned(),
            unit: metric.unit.map(str::to_owned),
            help: format!("{}.", metric.help),
            name,
        }
    }

    fn families(text: &str) -> Vec<Family> {
        let mut families: Vec<Family> = Vec::new();
        for line in text.lines().filter(|line| *line != "# EOF") {
            match line.strip_prefix("# ").map(|rest| rest.splitn(3, ' ').collect::<Vec<_>>()).as_deref() {
                Some(["HELP", name, help]) => {
                    let (name, help) = (String::from(*name), String::from(*help));
                    families.push(Family { name, help, ..Family::default() });
                }
                Some(["TYPE", _, kind]) => families.last_mut().unwrap().kind = String::from(*kind),
                Some(["UNIT", _, unit]) => families.last_mut().unwrap().unit = Some(String::from(*unit)),
                Some(_) => panic!("{line}"),
                None => {
                    let (sample, _) = line.rsplit_once(' ').unwrap();
                    let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
                    // No value here has a comma.
                    let labels =
                        labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
                    let sample = (name.to_owned(), sorted(labels.collect()));
                    families.last_mut().unwrap().samples.insert(sample);
                }
            }
        }
        families
    }

    fn sorted(mut labels: Vec<String>) -> Vec<String> {
        labels.sort();
        labels
    }
}
