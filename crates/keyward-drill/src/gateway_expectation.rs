//! What the gateway has to say of itself at the end of a phase.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::expectation::{Percent, Share};
use crate::subject::{Facts, KeyFacts};

/// What the gateway has to say of itself. Only where it can be asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayExpectation {
    /// What `/readyz` says: `ready`, `degraded`, `no_keys` or `starting`.
    pub readiness: Option<String>,
    /// Events that were logged in the phase.
    #[serde(default)]
    pub events: Vec<String>,
    /// Events that were not.
    #[serde(default)]
    pub no_events: Vec<String>,
    /// Events, and precisely how many times each was logged in the phase.
    #[serde(default)]
    pub event_counts: BTreeMap<String, u64>,
    /// The reasons for which keys are skipped just now, as `/debug/jwks-cache` shows them, by issuer.
    #[serde(default)]
    pub skipped: BTreeMap<String, Vec<String>>,
    /// The states of the certificates around keys just now, as `/debug/jwks-cache` shows them, by issuer and `kid`; `none`
    /// where a key has none. The keys of the issuer are these and no others.
    #[serde(default)]
    pub wrappers: BTreeMap<String, BTreeMap<String, String>>,
    /// Of the tokens that an issuer's keys verified in the phase, the share of those whose key had a certificate that was
    /// over, by issuer.
    #[serde(default)]
    pub expired_wrapper_share: BTreeMap<String, Share>,
    /// Metrics, and what they are at least: the sum over all labels, or over those that are named.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

impl GatewayExpectation {
    /// The issuers that it names.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = &String> {
        self.skipped.keys().chain(self.wrappers.keys()).chain(self.expired_wrapper_share.keys())
    }

    /// What of it does not hold, in words, where the gateway says `before` and `after` the phase what it says.
    pub(crate) fn failures(&self, before: &Facts, after: &Facts) -> Vec<String> {
        let mut failures = Vec::new();
        if let Some(readiness) = self.readiness.as_ref().filter(|readiness| **readiness != after.readiness) {
            failures.push(format!("it says that it is {:?}, expected {readiness:?}", after.readiness));
        }
        failures.extend(self.events(before, after));
        for (issuer, reasons) in &self.skipped {
            let mut reasons = reasons.clone();
            let mut found = after.skipped.get(issuer).cloned().unwrap_or_default();
            reasons.sort();
            found.sort();
            if found != reasons {
                failures.push(format!("of {issuer} it skips keys for {found:?}, expected {reasons:?}"));
            }
        }
        failures.extend(self.wrappers(before, after));
        if after.metrics.is_some() {
            for (metric, least) in &self.metrics {
                let found = after.metric(metric).unwrap_or(0.0);
                if found < *least {
                    failures.push(format!("{metric} is {found}, expected {least} or more"));
                }
            }
        }
        failures
    }

    fn events(&self, before: &Facts, after: &Facts) -> Vec<String> {
        let logged = |event: &String| {
            let count = |facts: &Facts| facts.events.get(event).copied().unwrap_or(0);
            count(after).saturating_sub(count(before))
        };
        let silent = self.events.iter().filter(|event| logged(event) == 0);
        let mut failures: Vec<_> = silent.map(|event| format!("it did not log {event}")).collect();
        let loud = self.no_events.iter().filter(|event| logged(event) > 0);
        failures.extend(loud.map(|event| format!("it logged {event}")));
        let miscounted = self.event_counts.iter().filter(|(event, wanted)| logged(event) != **wanted);
        failures.extend(miscounted.map(|(event, wanted)| {
            let found = logged(event);
            format!("it logged {event} {found} times, expected {wanted}")
        }));
        failures
    }

    /// What of the certificates around keys does not hold.
    fn wrappers(&self, before: &Facts, after: &Facts) -> Vec<String> {
        let mut failures = Vec::new();
        for (issuer, wanted) in &self.wrappers {
            let found = after.keys.get(issuer).into_iter().flatten();
            let found: BTreeMap<_, _> = found.map(|(kid, key)| (kid.clone(), key.wrapper.clone())).collect();
            if found != *wanted {
                let text = format!(
                    "the certificates around the keys of {issuer} are {found:?}, expected {wanted:?}"
                );
                failures.push(text);
            }
        }
        let nothing = BTreeMap::new();
        for (issuer, wanted) in &self.expired_wrapper_share {
            let (then, now) =
                (before.keys.get(issuer).unwrap_or(&nothing), after.keys.get(issuer).unwrap_or(&nothing));
            let since = |of: fn(&KeyFacts) -> u64| -> u64 {
                now.iter().map(|(kid, key)| of(key).saturating_sub(then.get(kid).map_or(0, of))).sum()
            };
            let (expired, verdicts) = (since(|key| key.expired_wrapper_verdicts), since(|key| key.verdicts));
            let share = expired as f64 / verdicts.max(1) as f64;
            if verdicts == 0 || !wanted.holds(share) {
                failures.push(format!(
                    "{} of {verdicts} tokens of {issuer} came with a certificate that was over, expected {wanted}",
                    Percent(share)
                ));
            }
        }
        failures
    }
}
