//! What is counted, under the names that the reference lists.

mod catalogue;
mod keys;
mod label;

pub use catalogue::METRICS;
pub use keyward_server::metric::{Kind, Label, Metric, Values};

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::cause::Cause;
use crate::entity::{ClientAuthMethod, GrantType, TokenFormat};
use crate::observer::{Endpoint, Observer, StorageWrite};
use crate::signing::WatchedKeys;
use crate::storage::StoreError;
use crate::view::View;
use keys::KeyMetrics;

/// Every metric of the authority.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    config_reloads: Family<ReloadLabel, Counter>,
    config_refused: Gauge,
    connections: Gauge,
    requests: Family<RequestLabels, Counter>,
    durations: Family<EndpointLabel, Histogram, Times>,
    issued: Family<IssuedLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    authentications: Family<AuthenticationLabels, Counter>,
    key_set_fetches: Family<FetchLabels, Counter>,
    hash_wait: Histogram,
    hash_duration: Histogram,
    signing: Family<AlgorithmLabel, Histogram, Times>,
    keys: KeyMetrics,
    log_position: Gauge,
    log_behind: Family<NoLabel, Gauge>,
    log_age: Gauge<f64, AtomicU64>,
    head_wait: Histogram,
    commits: Family<CommitLabel, Histogram, Times>,
    storage_errors: Family<ErrorLabel, Counter>,
    lines_left_out: Family<EventLabel, Counter>,
    handshakes: Family<HandshakeLabel, Counter>,
    /// Without labels, so that it can be left out.
    tls_not_after: Family<NoLabel, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct NoLabel {}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReloadLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    endpoint: &'static str,
    status: u32,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct EndpointLabel {
    endpoint: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IssuedLabels {
    realm: String,
    grant: &'static str,
    format: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RefusalLabels {
    realm: String,
    endpoint: &'static str,
    cause: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AuthenticationLabels {
    realm: String,
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FetchLabels {
    realm: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AlgorithmLabel {
    algorithm: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct CommitLabel {
    commit: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ErrorLabel {
    error: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct EventLabel {
    event: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct HandshakeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct VersionLabel {
    version: &'static str,
}

/// From a signature to a request that waited for argon2 or a database, in seconds.
const BUCKETS: [f64; 12] = [2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 5e-3, 2e-2, 0.1, 0.5, 1.0, 5.0];

/// Makes histograms of [`BUCKETS`].
#[derive(Clone, Copy, Debug)]
struct Times;

impl MetricConstructor<Histogram> for Times {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

impl Metrics {
    /// All of them, at zero; their names begin with `namespace`.
    pub fn new(namespace: &str) -> Self {
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix(namespace);
        let build: Family<VersionLabel, Gauge> = catalogue::BUILD_INFO.register(own, Family::default());
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        // From the start on: a rate needs a zero to rise from.
        let lines_left_out = catalogue::LOG_LINES_LEFT_OUT.register(own, Family::default());
        for event in label::SPARED_EVENTS {
            drop(lines_left_out.get_or_create(&EventLabel { event }));
        }
        let handshakes = catalogue::TLS_HANDSHAKES.register(own, Family::default());
        for outcome in label::HANDSHAKES {
            drop(handshakes.get_or_create(&HandshakeLabel { outcome }));
        }
        let storage_errors = catalogue::STORAGE_ERRORS.register(own, Family::default());
        for error in StoreError::KINDS {
            drop(storage_errors.get_or_create(&ErrorLabel { error }));
        }
        let config_reloads = catalogue::CONFIG_RELOADS.register(own, Family::default());
        for outcome in label::RELOADS {
            drop(config_reloads.get_or_create(&ReloadLabel { outcome }));
        }
        let histogram = || Histogram::new(BUCKETS);
        Self {
            config_refused: catalogue::CONFIG_REFUSED.register(own, Gauge::default()),
            connections: catalogue::CONNECTIONS.register(own, Gauge::default()),
            requests: catalogue::REQUESTS.register(own, Family::default()),
            durations: catalogue::REQUEST_DURATION.register(own, Family::new_with_constructor(Times)),
            issued: catalogue::TOKENS_ISSUED.register(own, Family::default()),
            refusals: catalogue::REFUSALS.register(own, Family::default()),
            authentications: catalogue::AUTHENTICATIONS.register(own, Family::default()),
            key_set_fetches: catalogue::KEY_SET_FETCHES.register(own, Family::default()),
            hash_wait: catalogue::HASH_WAIT.register(own, histogram()),
            hash_duration: catalogue::HASH_DURATION.register(own, histogram()),
            signing: catalogue::SIGNING_DURATION.register(own, Family::new_with_constructor(Times)),
            keys: KeyMetrics::register(own),
            log_position: catalogue::LOG_POSITION.register(own, Gauge::default()),
            log_behind: catalogue::LOG_BEHIND.register(own, Family::default()),
            log_age: catalogue::LOG_AGE.register(own, Gauge::default()),
            head_wait: catalogue::HEAD_WAIT.register(own, histogram()),
            commits: catalogue::COMMIT_DURATION.register(own, Family::new_with_constructor(Times)),
            storage_errors,
            tls_not_after: catalogue::TLS_CERTIFICATE_NOT_AFTER.register(own, Family::default()),
            config_reloads,
            lines_left_out,
            handshakes,
            registry,
        }
    }

    /// Counts a connection for as long as this is kept.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// What came of a changed configuration.
    pub(crate) fn config_reload(&self, outcome: &'static str) {
        self.config_reloads.get_or_create(&ReloadLabel { outcome }).inc();
        self.config_refused.set((outcome == "refused").into());
    }

    /// Until when the listener's chain is valid; none where it has none.
    pub(crate) fn tls_certificate(&self, not_after: Option<i64>) {
        self.tls_not_after.clear();
        if let Some(not_after) = not_after {
            self.tls_not_after.get_or_create(&NoLabel {}).set(not_after);
        }
    }

    pub(crate) fn handshake(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&HandshakeLabel { outcome }).inc();
    }

    pub(crate) fn line_left_out(&self, event: &'static str) {
        self.lines_left_out.get_or_create(&EventLabel { event }).inc();
    }

    /// Everything, in the text format of OpenMetrics. `behind` is how many events this node has not read, `keys` what is to be
    /// watched of each realm's.
    pub(crate) fn encode(&self, view: &View, behind: Option<i64>, keys: &[(String, WatchedKeys)]) -> String {
        self.log_position.set(view.position().0);
        self.log_age.set(view.age().map_or(f64::INFINITY, |age| age.as_secs_f64()));
        self.log_behind.clear();
        if let Some(behind) = behind {
            self.log_behind.get_or_create(&NoLabel {}).set(behind);
        }
        self.keys.set(keys);
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl Observer for Metrics {
    fn answered(&self, endpoint: Endpoint, status: u16, took: Duration) {
        let endpoint = endpoint.label();
        self.requests.get_or_create(&RequestLabels { endpoint, status: u32::from(status) }).inc();
        self.durations.get_or_create(&EndpointLabel { endpoint }).observe(took.as_secs_f64());
    }

    fn authenticated(&self, realm: &str, method: ClientAuthMethod, outcome: Result<(), Cause>) {
        let (method, outcome) =
            (label::of_method(method), if outcome.is_ok() { "succeeded" } else { "failed" });
        let labels = AuthenticationLabels { realm: realm.to_owned(), method, outcome };
        self.authentications.get_or_create(&labels).inc();
    }

    fn committed(&self, what: StorageWrite, took: Duration) {
        self.commits.get_or_create(&CommitLabel { commit: what.label() }).observe(took.as_secs_f64());
    }

    fn hashed(&self, waited: Duration, took: Duration) {
        self.hash_wait.observe(waited.as_secs_f64());
        self.hash_duration.observe(took.as_secs_f64());
    }

    fn issued(&self, realm: &str, grant: GrantType, format: TokenFormat) {
        let (grant, format) = (label::of_grant(grant), label::of_format(format));
        self.issued.get_or_create(&IssuedLabels { realm: realm.to_owned(), grant, format }).inc();
    }

    fn key_set_fetched(&self, realm: &str, outcome: &'static str) {
        self.key_set_fetches.get_or_create(&FetchLabels { realm: realm.to_owned(), outcome }).inc();
    }

    fn refused(&self, realm: &str, endpoint: Endpoint, cause: Cause) {
        let (endpoint, cause) = (endpoint.label(), cause.label());
        self.refusals.get_or_create(&RefusalLabels { realm: realm.to_owned(), endpoint, cause }).inc();
    }

    fn signed(&self, algorithm: &str, took: Duration) {
        let labels = AlgorithmLabel { algorithm: algorithm.to_owned() };
        self.signing.get_or_create(&labels).observe(took.as_secs_f64());
    }

    fn storage_failed(&self, kind: &'static str) {
        self.storage_errors.get_or_create(&ErrorLabel { error: kind }).inc();
    }

    fn waited_for_head(&self, waited: Duration) {
        self.head_wait.observe(waited.as_secs_f64());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_endpoints_are_those_of_the_catalogue() {
        let Values::OneOf(listed) = label::ENDPOINT.values else { panic!("endpoints are listed") };
        assert_eq!(Endpoint::ALL.iter().map(|endpoint| endpoint.label()).collect::<Vec<_>>(), listed);
    }

    #[test]
    fn every_metric_of_the_catalogue_is_registered_and_says_its_unit() {
        let metrics = Metrics::new("keyward");
        let listed: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
        metrics.answered(Endpoint::Token, 200, Duration::from_millis(1));
        metrics.authenticated("main", ClientAuthMethod::PrivateKeyJwt, Err(Cause::AssertionExpired));
        metrics.key_set_fetched("main", "fetched");
        metrics.issued("main", GrantType::ClientCredentials, TokenFormat::Jwt);
        metrics.refused("main", Endpoint::Token, Cause::SecretWrong);
        metrics.committed(StorageWrite::Uses, Duration::from_millis(2));
        metrics.signed("ES256", Duration::from_micros(30));
        metrics.tls_certificate(Some(0));
        metrics.keys.show_all();
        drop(metrics.log_behind.get_or_create(&NoLabel {}));
        let mut text = String::new();
        text::encode(&mut text, &metrics.registry).unwrap();
        for metric in METRICS {
            let line = format!("# TYPE keyward_{} {}", metric.name, metric.kind.label());
            assert!(text.contains(&line), "{line}\n{text}");
            assert_eq!(metric.unit.is_some(), metric.name.ends_with("_seconds"), "{}", metric.name);
        }
        assert_eq!(text.matches("# TYPE ").count(), listed.len(), "{text}");
    }
}
