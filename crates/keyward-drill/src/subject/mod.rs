//! What is under drill. The engine knows no more of it than this.

mod asker;
mod foreign;
mod gateway;
mod key_facts;
mod library;
mod memory_transport;

use std::collections::BTreeMap;
use std::future::Future;

pub(crate) use foreign::Foreign;
pub(crate) use gateway::Gateway;
pub(crate) use key_facts::KeyFacts;
pub(crate) use library::Library;

use crate::doctor::Patient;
use crate::drill::{GatewayStep, Header};
use crate::error::RunError;
use crate::expectation::Detail;
use crate::seen::Outcome;

/// Something that decides on tokens.
pub(crate) trait Subject: Send + Sync + 'static {
    /// What of its verdicts can be told.
    fn detail(&self) -> Detail;

    /// Sends a request with this token, and on the way its header becomes this.
    fn ask(&self, token: &str, header: Header) -> impl Future<Output = Outcome> + Send;

    /// Carries out a step.
    fn step(&self, step: &GatewayStep) -> impl Future<Output = Result<(), RunError>> + Send;

    /// What it says of itself; none where it cannot be asked.
    fn facts(&self) -> impl Future<Output = Result<Option<Facts>, RunError>> + Send;

    /// What a doctor is to look at; none where that is not there to be looked at.
    fn patient(&self) -> Result<Option<Patient>, RunError> {
        Ok(None)
    }
}

/// What a subject says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `ready`, `degraded`, `no_keys` or `starting`.
    pub(crate) readiness: String,
    /// How many times each event has happened since the start of the drill: `event`, and `event:cause` for each cause
    /// that it had.
    pub(crate) events: BTreeMap<String, u64>,
    /// The reasons for which keys are skipped just now, by issuer.
    pub(crate) skipped: BTreeMap<String, Vec<String>>,
    /// Its keys, by issuer and `kid`.
    pub(crate) keys: BTreeMap<String, BTreeMap<String, KeyFacts>>,
    /// Its metrics, in the Prometheus text format.
    pub(crate) metrics: Option<String>,
    /// The memory that it holds, in octets.
    pub(crate) memory: Option<u64>,
}

impl Facts {
    /// The sum of a metric over all labels, or over the samples whose labels hold all of those that are given as
    /// `name{label="value"}`.
    pub(crate) fn metric(&self, wanted: &str) -> Option<f64> {
        let (name, labels) = wanted.split_once('{').unwrap_or((wanted, ""));
        let labels: Vec<&str> = labels.trim_end_matches('}').split(',').filter(|l| !l.is_empty()).collect();
        let text = self.metrics.as_deref()?;
        let samples = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, labelled) = series.split_once('{').unwrap_or((series, ""));
            let is_wanted = found == name && labels.iter().all(|label| labelled.contains(label));
            is_wanted.then(|| value.parse::<f64>().ok()).flatten()
        });
        Some(samples.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_sum_over_what_its_labels_select() {
        let text = "# TYPE a counter\na_total{issuer=\"x\",cause=\"dns\"} 2\na_total{issuer=\"y\",cause=\"dns\"} 3\n\
                    ab_total 7\nb 0.5\n# EOF\n";
        let facts = Facts { metrics: Some(text.to_owned()), ..Facts::default() };
        assert_eq!(facts.metric("a_total"), Some(5.0));
        assert_eq!(facts.metric("a_total{issuer=\"y\"}"), Some(3.0));
        assert_eq!(facts.metric("b"), Some(0.5));
        assert_eq!(facts.metric("none"), Some(0.0));
    }
}
