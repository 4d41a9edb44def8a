//! What is counted of introspection, and of verdicts that went without it.

use keyward::event::Event;
use keyward::{Failure, FallbackCause, IntrospectionStatus, IssuerSettings, Reason, Strategy};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Issuer, IssuerOutcome, IssuerState, catalogue, label};

/// From an answer on this machine to a call that hung until its timeout, in seconds.
const BUCKETS: [f64; 12] = [5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0];

/// Why no call was made at all.
const NO_CALLS: [Failure; 3] = [Failure::AskedToWait, Failure::CircuitOpen, Failure::Overloaded];

/// Why keys cannot tell, where an endpoint may be asked instead.
const KEY_SET_CAUSES: [Reason; 3] =
    [Reason::KeyRefreshLimited, Reason::KeysStaleLimit, Reason::KeysUnavailable];

/// The metrics of introspection, by issuer.
#[derive(Debug)]
pub(super) struct IntrospectionMetrics {
    calls: Family<IssuerOutcome, Counter>,
    duration: Family<Issuer, Histogram, fn() -> Histogram>,
    transitions: Family<Transition, Counter>,
    fallbacks: Family<IssuerCause, Counter>,
    fallback_failures: Family<Issuer, Counter>,
    cache_hits: Family<IssuerAnswer, Counter>,
    breaker: Family<IssuerState, Gauge>,
    credential_state: Family<IssuerState, Gauge>,
    credential_age: Family<Issuer, Gauge>,
    last_success: Family<Issuer, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IssuerAnswer {
    issuer: String,
    answer: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IssuerCause {
    issuer: String,
    cause: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Transition {
    issuer: String,
    to: &'static str,
}

impl IntrospectionMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let duration: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self {
            calls: catalogue::INTROSPECTION_CALLS.register(registry, Family::default()),
            duration: catalogue::INTROSPECTION_DURATION
                .register(registry, Family::new_with_constructor(duration)),
            transitions: catalogue::INTROSPECTION_BREAKER_TRANSITIONS.register(registry, Family::default()),
            fallbacks: catalogue::FALLBACK_VERDICTS.register(registry, Family::default()),
            fallback_failures: catalogue::FALLBACK_FAILURES.register(registry, Family::default()),
            cache_hits: catalogue::INTROSPECTION_CACHE_HITS.register(registry, Family::default()),
            breaker: catalogue::INTROSPECTION_BREAKER_STATE.register(registry, Family::default()),
            credential_state: catalogue::CREDENTIAL_STATE.register(registry, Family::default()),
            credential_age: catalogue::CREDENTIAL_AGE.register(registry, Family::default()),
            last_success: catalogue::INTROSPECTION_LAST_SUCCESS.register(registry, Family::default()),
        }
    }

    pub(super) fn expect(&self, settings: &IssuerSettings) {
        if settings.introspection.is_none() {
            return;
        }
        let issuer = || settings.policy.name.to_string();
        let failures = Failure::ALL.iter().map(|failure| failure.label());
        let is_called = |failure: &&Failure| !NO_CALLS.contains(failure);
        let outcomes = Failure::ALL.iter().filter(is_called).map(|failure| failure.label());
        for outcome in ["active", "inactive"].into_iter().chain(outcomes) {
            drop(self.calls.get_or_create(&IssuerOutcome { issuer: issuer(), outcome }));
        }
        for to in label::BREAKER_STATES {
            drop(self.transitions.get_or_create(&Transition { issuer: issuer(), to }));
        }
        drop(self.duration.get_or_create(&Issuer { issuer: issuer() }));
        let Some(fallback) = &settings.fallback else {
            return;
        };
        let gives_up = |strategy: Strategy| {
            strategy.gives_up().is_some_and(|given_up| fallback.gives_up.contains(&given_up))
        };
        let by_keys = gives_up(Strategy::IntrospectionThenKeySet).then_some(failures);
        let by_endpoint = gives_up(Strategy::KeySetThenIntrospection).then_some(KEY_SET_CAUSES);
        let by_endpoint = by_endpoint.into_iter().flatten().map(Reason::label);
        for cause in by_keys.into_iter().flatten().chain(by_endpoint) {
            drop(self.fallbacks.get_or_create(&IssuerCause { issuer: issuer(), cause }));
        }
    }

    pub(super) fn observe(&self, issuer: &str, event: &Event<'_>) {
        let issuer = || issuer.to_owned();
        match event {
            Event::IntrospectionBreaker { to, .. } => {
                self.transitions.get_or_create(&Transition { issuer: issuer(), to: to.label() }).inc();
            }
            Event::IntrospectionCalled { outcome, took } => {
                self.calls.get_or_create(&IssuerOutcome { issuer: issuer(), outcome }).inc();
                self.duration.get_or_create(&Issuer { issuer: issuer() }).observe(took.as_secs_f64());
            }
            _ => {}
        }
    }

    pub(super) fn fallback_verdict(&self, issuer: &str, cause: FallbackCause) {
        let label = IssuerCause { issuer: issuer.to_owned(), cause: cause.label() };
        self.fallbacks.get_or_create(&label).inc();
    }

    /// Begins a scrape with no issuers, so that none stays that is no longer configured.
    pub(super) fn clear(&self) {
        self.cache_hits.clear();
        self.fallback_failures.clear();
        self.breaker.clear();
        self.credential_age.clear();
        self.credential_state.clear();
        self.last_success.clear();
    }

    pub(super) fn set(&self, issuer: &str, status: &IntrospectionStatus) {
        let label = || Issuer { issuer: issuer.to_owned() };
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for state in label::BREAKER_STATES {
            let label = IssuerState { issuer: issuer.to_owned(), state };
            self.breaker.get_or_create(&label).set(i64::from(status.breaker == *state));
        }
        for state in label::CREDENTIAL_STATES {
            let label = IssuerState { issuer: issuer.to_owned(), state };
            self.credential_state.get_or_create(&label).set(i64::from(status.credential.state == *state));
        }
        for (answer, hits) in [("active", status.active_hits), ("inactive", status.inactive_hits)] {
            let label = IssuerAnswer { issuer: issuer.to_owned(), answer };
            self.cache_hits.get_or_create(&label).inc_by(hits);
        }
        self.fallback_failures.get_or_create(&label()).inc_by(status.fallback_failures);
        if let Some(age) = status.credential.age_seconds {
            self.credential_age.get_or_create(&label()).set(signed(age));
        }
        if let Some(age) = status.last_success_seconds {
            self.last_success.get_or_create(&label()).set(signed(age));
        }
    }

    /// Gives each family a sample.
    #[cfg(test)]
    pub(super) fn show_all(&self) {
        let issuer = String::new;
        drop(self.calls.get_or_create(&IssuerOutcome { issuer: issuer(), outcome: "active" }));
        drop(self.duration.get_or_create(&Issuer { issuer: issuer() }));
        drop(self.transitions.get_or_create(&Transition { issuer: issuer(), to: "closed" }));
        drop(self.fallbacks.get_or_create(&IssuerCause { issuer: issuer(), cause: "timed_out" }));
        drop(self.fallback_failures.get_or_create(&Issuer { issuer: issuer() }));
        drop(self.cache_hits.get_or_create(&IssuerAnswer { issuer: issuer(), answer: "active" }));
        drop(self.breaker.get_or_create(&IssuerState { issuer: issuer(), state: "closed" }));
        drop(self.credential_state.get_or_create(&IssuerState { issuer: issuer(), state: "usable" }));
        drop(self.credential_age.get_or_create(&Issuer { issuer: issuer() }));
        drop(self.last_success.get_or_create(&Issuer { issuer: issuer() }));
    }
}
