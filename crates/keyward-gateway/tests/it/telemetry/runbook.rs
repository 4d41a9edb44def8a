//! `docs/how-to/runbook`: what its pages tell to look at, to search for and to set is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use keyward::Reason;
use keyward_gateway::{Config, METRICS, Values, events};

use super::{check, dashboards, of_sample, read};

/// What settings on a page are read with: a page shows those that it is about.
const AROUND: &str = "[[issuer]]\nname = \"partners\"\nissuer = \"https://partners.example\"\n\n\
                      [[issuer]]\nname = \"main\"\nissuer = \"https://idp.example\"\n";

#[test]
fn every_metric_that_a_page_names_is_one_that_there_is() {
    let mut named = BTreeSet::new();
    for (page, text) in pages() {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            // A name at the end of a word's beginning, such as `keyward_`, is of a namespace.
            let is_name = word.starts_with("keyward_") || word.starts_with("auth_jwt_");
            // What is the authority's, its own tests look at.
            if is_name && word != "keyward_" && !word.starts_with("keyward_authority_") {
                let metric = of_sample(word).map(|(metric, _)| metric);
                // A histogram is called by its name, too.
                let metric =
                    metric.or_else(|| METRICS.iter().find(|metric| metric.full_name("keyward") == word));
                named.insert(metric.unwrap_or_else(|| panic!("{page}: no metric {word}")).name);
            }
        }
    }
    assert!(named.len() > 20, "{named:?}");
}

#[test]
fn every_expression_on_a_page_asks_for_labels_and_values_that_there_are() {
    let mut expressions = 0;
    for (page, text) in pages() {
        for code in spans(&text)
            .filter(|code| code.contains('{') && code.contains("keyward_") || code.contains("rate("))
            .filter(|code| !code.contains("keyward_authority_"))
        {
            // A gauge, or a counter that is looked at and not asked for.
            match code.starts_with("rate(") {
                true => drop(check(&code)),
                false => is_of_catalogue(&page, &code),
            }
            expressions += 1;
        }
    }
    assert!(expressions > 50, "{expressions}");
}

/// A metric's name with labels, each of which it has.
fn is_of_catalogue(page: &str, selector: &str) {
    let (name, matchers) = selector.split_once('{').unwrap();
    let (metric, _) = of_sample(name).unwrap_or_else(|| panic!("{page}: no metric {name}"));
    for matcher in matchers.trim_end_matches('}').split(',') {
        let (label, value) = matcher.split_once('=').unwrap();
        let label = metric.labels.iter().find(|known| known.name == label);
        let label = label.unwrap_or_else(|| panic!("{page}: no such label in {selector}"));
        let value = value.trim_matches('"');
        let can_be = match label.values {
            Values::OneOf(values) => values.contains(&value),
            Values::From { .. } => label.name != "reason" || Reason::from_label(value).is_some(),
        };
        assert!(can_be, "{page}: {selector}");
    }
}

#[test]
fn every_event_that_a_page_searches_for_is_one_that_is_written() {
    let labels: Vec<_> = events().into_iter().map(|event| event.label).collect();
    let mut searched = 0;
    for (page, text) in pages() {
        let whole = joined(&text);
        let told = whole.split("log says `").skip(1).filter_map(|rest| rest.split('`').next());
        let selected = whole.split(".event == \"").skip(1).filter_map(|rest| rest.split('"').next());
        for label in told.chain(selected) {
            assert!(labels.contains(&label), "{page}: no event {label}");
            searched += 1;
        }
        for start in whole.split("(.event | startswith(\"").skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(labels.iter().any(|label| label.starts_with(start)), "{page}: no event {start}…");
        }
        for reason in whole.split(".reason == \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(Reason::from_label(reason).is_some(), "{page}: no reason {reason}");
        }
    }
    assert!(searched > 20, "{searched}");
}

#[test]
fn every_panel_that_a_page_of_an_alert_names_is_on_a_dashboard() {
    let titles = dashboards::titles();
    for (page, text) in pages().into_iter().filter(|(page, _)| !page.starts_with("KW")) {
        // What stands in code may be a product.
        let prose: String = joined(&text).split('`').step_by(2).collect();
        let parts: Vec<String> = prose.split('*').map(str::to_owned).collect();
        let panels: Vec<&String> = parts.iter().skip(1).step_by(2).collect();
        assert!(!panels.is_empty(), "{page}");
        // The index also speaks of dashboards, and of the parts of a page.
        for panel in panels.into_iter().filter(|_| page != "README.md") {
            assert!(titles.contains(panel), "{page}: no panel {panel}");
        }
    }
}

#[test]
fn every_setting_on_a_page_is_one_that_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = 0;
    for (page, text) in pages() {
        for block in text.split("```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next()) {
            let named = "[[issuer]]\nname = \"other\"\nissuer = \"https://other.example\"";
            let whole = format!("{AROUND}{}", block.replace("[[issuer]]", named));
            blocks += 1;
            // Files of the page are not there, and a strategy stands elsewhere.
            if let Err(error) = Config::parse(&whole, folder.path()) {
                let is_elsewhere = ["No such file", "strategy", "endpoint", "discover"];
                let message = error.to_string();
                assert!(is_elsewhere.iter().any(|part| message.contains(part)), "{page}: {message}\n{whole}");
            }
        }
    }
    assert!(blocks > 30, "{blocks}");
}

/// Each page, by the name of its file.
/// Those of the authority's alerts are held against what the authority has, by its own tests.
fn pages() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/runbook");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = paths.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(&path)));
    let pages: Vec<_> = named.filter(|(page, _)| !page.starts_with("KeywardAuthority")).collect();
    assert!(pages.len() > 120, "{}", pages.len());
    pages
}

/// What stands between backticks within lines, and may go on in the next one.
fn spans(text: &str) -> impl Iterator<Item = String> {
    let prose: Vec<&str> = text.split("```").step_by(2).collect();
    let spans: Vec<String> =
        joined(&prose.concat()).split('`').skip(1).step_by(2).map(str::to_owned).collect();
    spans.into_iter()
}

/// The same in one line.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
