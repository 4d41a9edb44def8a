//! What is deployed beside a gateway, and the runbook, ask for metrics that it has: a renamed metric or label fails here.

mod alerts;
mod dashboards;
mod encoded;
mod promql;
mod runbook;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyward::Reason;
use keyward_gateway::{Kind, METRICS, Metric, Values};

use promql::{Selector, named};

/// What Prometheus makes itself, and the labels that it gives.
const MADE_BY_PROMETHEUS: [(&str, &[&str]); 2] =
    [("ALERTS", &["alertname", "alertstate", "severity"]), ("up", &[])];
const GIVEN_BY_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn deployed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metric that a sample of this name belongs to.
fn of_sample(name: &str) -> Option<(&'static Metric, &'static str)> {
    METRICS.iter().find_map(|metric| {
        let suffix = name.strip_prefix(metric.full_name("keyward").as_str())?;
        Some((metric, *metric.suffixes().iter().find(|known| **known == suffix)?))
    })
}

/// Holds an expression against the catalogue; returns the metrics that it asks for.
fn check(expression: &str) -> BTreeSet<&'static str> {
    let named = named(expression);
    assert!(!named.selectors.is_empty(), "no metric in {expression}");
    let (mut metrics, mut labels) = (BTreeSet::new(), BTreeSet::from(GIVEN_BY_PROMETHEUS));
    for selector in &named.selectors {
        if let Some((_, made)) = MADE_BY_PROMETHEUS.iter().find(|(name, _)| *name == selector.metric) {
            labels.extend(*made);
            continue;
        }
        let (metric, suffix) =
            of_sample(&selector.metric).unwrap_or_else(|| panic!("no metric: {}", selector.metric));
        let own = metric.labels.iter().map(|label| label.name).chain((suffix == "_bucket").then_some("le"));
        let own: BTreeSet<_> = own.collect();
        let is_counted = matches!(metric.kind, Kind::Counter | Kind::Histogram);
        assert_eq!(
            selector.is_range, is_counted,
            "a rate is of a counter, and a counter's value says little: {expression}"
        );
        for (label, _, value) in &selector.matchers {
            let known = own.contains(label.as_str()) || GIVEN_BY_PROMETHEUS.contains(&label.as_str());
            assert!(known, "no label {label} of {}", selector.metric);
            check_value(metric, label, value, selector);
        }
        labels.extend(own);
        metrics.insert(metric.name);
    }
    for label in &named.groupings {
        assert!(labels.contains(label.as_str()), "no label {label} in {expression}");
    }
    metrics
}

/// A value that the label never has selects nothing, for ever.
fn check_value(metric: &Metric, label: &str, value: &str, selector: &Selector) {
    let Some(label) = metric.labels.iter().find(|known| known.name == label) else { return };
    if value.starts_with('$') {
        return;
    }
    for value in value.split('|') {
        let can_be = match label.values {
            Values::OneOf(values) => values.contains(&value),
            Values::From { .. } if label.name == "reason" => Reason::from_label(value).is_some(),
            Values::From { .. } => panic!("who knows whether {} is ever {value}", label.name),
        };
        assert!(can_be, "{selector:?}");
    }
}

#[test]
#[should_panic(expected = "no metric: keyward_verdict_total")]
fn a_metric_that_is_not_there_is_found_out() {
    check("rate(keyward_verdict_total[5m])");
}

#[test]
#[should_panic(expected = "no label kid in")]
fn a_label_that_is_not_there_is_found_out() {
    check("sum by (kid) (rate(keyward_verdicts_total[5m]))");
}

#[test]
#[should_panic(expected = "undecidable")]
fn a_value_that_is_never_there_is_found_out() {
    check(r#"rate(keyward_verdicts_total{verdict="undecidable"}[5m])"#);
}
