//! What is deployed beside an authority, and the runbook, ask for metrics that it has: a renamed metric or label fails here.

mod alerts;
#[path = "../../../../keyward-gateway/tests/it/telemetry/promql.rs"]
mod promql;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyward_authority::cause::Cause;
use keyward_authority::metrics::{Kind, METRICS, Metric, Values};

use promql::named;

/// What Prometheus makes itself, or gives.
const MADE_BY_PROMETHEUS: [&str; 1] = ["up"];
const GIVEN_BY_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metric that a sample of this name belongs to, and what the name has beyond that.
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
        if MADE_BY_PROMETHEUS.contains(&selector.metric.as_str()) {
            continue;
        }
        let (metric, suffix) =
            of_sample(&selector.metric).unwrap_or_else(|| panic!("no metric: {}", selector.metric));
        let own = metric.labels.iter().map(|label| label.name).chain((suffix == "_bucket").then_some("le"));
        let own: BTreeSet<_> = own.collect();
        let is_counted = matches!(metric.kind, Kind::Counter | Kind::Histogram);
        assert_eq!(selector.is_range, is_counted, "a rate is of a counter: {expression}");
        for (label, _, value) in &selector.matchers {
            let known = own.contains(label.as_str()) || GIVEN_BY_PROMETHEUS.contains(&label.as_str());
            assert!(known, "no label {label} of {}", selector.metric);
            value.split('|').for_each(|value| check_value(metric, label, value));
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
fn check_value(metric: &Metric, label: &str, value: &str) {
    let Some(label) = metric.labels.iter().find(|known| known.name == label) else { return };
    let can_be = match label.values {
        Values::OneOf(values) => values.contains(&value),
        Values::From { .. } if label.name == "cause" => Cause::ALL.iter().any(|cause| cause.label() == value),
        Values::From { .. } if label.name == "status" => value.parse::<u16>().is_ok(),
        Values::From { .. } => panic!("who knows whether {} is ever {value}", label.name),
    };
    assert!(can_be, "{} is never {value}", label.name);
}

#[test]
fn every_metric_and_expression_of_the_runbook_is_one_that_there_is() {
    let folder = fs::read_dir(workspace().join("docs/how-to/runbook")).unwrap();
    let (mut metrics, mut expressions) = (0, 0);
    for path in folder.map(|entry| entry.unwrap().path()) {
        let text = read(&path);
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if word.starts_with("keyward_authority_") {
                // A histogram is called by its name, too, and grep by the beginning of several.
                let begins = |metric: &Metric| {
                    let rest = format!("keyward_{}", metric.name);
                    rest.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
                };
                let is_known = of_sample(word).is_some() || METRICS.iter().any(begins);
                assert!(is_known, "{}: no metric {word}", path.display());
                metrics += 1;
            }
        }
        for code in text.split('`').skip(1).step_by(2).filter(|code| code.contains("keyward_authority_")) {
            if code.contains("rate(") || code.contains('{') {
                check(code);
                expressions += 1;
            }
        }
    }
    assert!(metrics > 10 && expressions > 3, "{metrics} {expressions}");
}

#[test]
#[should_panic(expected = "no metric: keyward_authority_token_total")]
fn a_metric_that_is_not_there_is_found_out() {
    check("rate(keyward_authority_token_total[5m])");
}

#[test]
#[should_panic(expected = "is never secret_wrung")]
fn a_cause_that_there_is_none_of_is_found_out() {
    check("rate(keyward_authority_refusals_total{cause=\"secret_wrung\"}[5m])");
}
