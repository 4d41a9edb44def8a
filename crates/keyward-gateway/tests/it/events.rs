//! The log's vocabulary: what the sources write is what the table says, to the level and the field, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use keyward_gateway::{METRICS, Values, events};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// What is written under one label.
#[derive(Debug, Default, PartialEq)]
struct Written {
    levels: BTreeSet<String>,
    fields: BTreeSet<String>,
}

#[test]
fn the_table_says_what_the_sources_write() {
    let sources = sources();
    let labels = labels_of_variants(&sources);
    let mut written: BTreeMap<String, Written> = BTreeMap::new();
    for (path, text) in &sources {
        for line in lines(text) {
            let labels = line.labels(&labels);
            assert!(!labels.is_empty(), "{}: a line without an event: {line:?}", path.display());
            for label in labels {
                let written = written.entry(label).or_default();
                written.levels.insert(line.level.to_owned());
                written.fields.extend(line.fields.iter().cloned());
            }
        }
    }
    let table = events().into_iter().map(|event| {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        (event.label.to_owned(), Written { levels: words(event.levels), fields: words(event.fields) })
    });
    let table: BTreeMap<_, _> = table.collect();
    assert!(written.len() > 40, "the sources were not found: {:?}", written.keys());
    for label in table.keys().chain(written.keys()) {
        assert_eq!(table.get(label), written.get(label), "{label}: left in the table, right in the sources");
    }
}

#[test]
fn the_table_is_in_order_and_says_each_event_once() {
    let events = events();
    assert!(events.windows(2).all(|pair| pair[0].label < pair[1].label));
    for event in &events {
        assert!(event.fields.is_sorted() && event.levels.is_sorted(), "{event:?}");
        assert!(event.levels.iter().all(|level| LEVELS.contains(level)), "{event:?}");
        assert!(event.meaning.len() > 10 && !event.meaning.contains(['|', '\n']), "{event:?}");
    }
}

#[test]
fn lines_that_are_left_out_are_counted_by_event() {
    let metric = METRICS.iter().find(|metric| metric.name == "log_lines_left_out").unwrap();
    let Values::OneOf(counted) = metric.labels[0].values else {
        panic!("{metric:?}");
    };
    let events = events();
    let sampled = events.iter().filter(|event| event.fields.contains(&"left_out")).map(|event| event.label);
    assert_eq!(sampled.collect::<Vec<_>>(), counted);
}

/// One call of a macro that writes a line.
#[derive(Debug)]
struct Line<'a> {
    level: &'static str,
    /// The expression that is its event.
    event: String,
    fields: Vec<String>,
    /// What stands before it in its file.
    before: &'a str,
}

impl Line<'_> {
    /// The labels under which it is written.
    fn labels(&self, of_variants: &BTreeMap<String, Vec<String>>) -> Vec<String> {
        if let Some(constant) = self.event.strip_prefix("events::") {
            return vec![constant.to_lowercase()];
        }
        if let Some(literal) = self.event.strip_prefix('"') {
            return vec![literal.trim_end_matches('"').to_owned()];
        }
        // The label of the variant in whose arm it stands.
        assert_eq!(self.event, "label", "{self:?}");
        let variant = word_after_last(self.before, "Event::");
        if variant == "IntrospectionBreaker" {
            return vec![match word_after_last(self.before, "BreakerState::") {
                "Open" => "introspection_circuit_opened".to_owned(),
                "HalfOpen" => "introspection_circuit_half_opened".to_owned(),
                other => format!("introspection_circuit_{}", other.to_lowercase()),
            }];
        }
        of_variants.get(variant).cloned().unwrap_or_default()
    }
}

/// The labels that `Event::label` gives each variant.
fn labels_of_variants(sources: &[(PathBuf, String)]) -> BTreeMap<String, Vec<String>> {
    let (_, text) = sources.iter().find(|(path, _)| path.ends_with("keyward/src/event/mod.rs")).unwrap();
    let arms = text.split("fn label(&self)").nth(1).unwrap();
    let mut labels = BTreeMap::new();
    for (variants, value) in arms.lines().filter_map(|arm| arm.split_once(" => ")) {
        let label = match value.trim_end_matches(',') {
            "Reason::WrapperCertificateExpired.label()" => vec!["wrapper_certificate_expired"],
            "Reason::WrapperCertificateUntrusted.label()" => vec!["wrapper_certificate_untrusted"],
            "trouble.reason().label()" => {
                vec!["wrapper_certificate_mismatch", "wrapper_certificate_untrusted"]
            }
            literal => vec![literal.trim_matches('"')],
        };
        for variant in variants.split("Self::").skip(1) {
            let name = variant.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            labels.insert(name.to_owned(), label.iter().map(|label| (*label).to_owned()).collect());
        }
    }
    labels
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (place, _) in text.match_indices("tracing::") {
        let (before, call) = text.split_at(place);
        let call = &call["tracing::".len()..];
        let Some(level) = LEVELS.into_iter().find(|level| call.starts_with(&format!("{level}!("))) else {
            continue;
        };
        let items = items(&call[level.len() + 2..]);
        let (mut event, mut fields) = (String::new(), Vec::new());
        // The message comes last.
        for item in items.iter().take_while(|item| !item.starts_with('"')) {
            match item.split_once(" = ") {
                Some(("event", value)) => event = value.to_owned(),
                Some((field, _)) => fields.push(field.to_owned()),
                None if item == "event" => event = bound_to_event(before),
                None => fields.push(item.trim_start_matches(['%', '?']).to_owned()),
            }
        }
        lines.push(Line { level, event, fields, before });
    }
    lines
}

/// What the last `let` of the name `event` says.
fn bound_to_event(before: &str) -> String {
    let (alone, among) = (before.rfind("let event = "), before.rfind("let (event, "));
    let place = alone.max(among).expect("`event` is bound");
    let value = before[place..].split_once("= ").unwrap().1.trim_start_matches('(');
    value.split([',', ';']).next().unwrap().to_owned()
}

/// The arguments of a call, whose parenthesis was opened before `text`.
fn items(text: &str) -> Vec<String> {
    let (mut items, mut item, mut depth, mut is_text, mut is_escaped) =
        (Vec::new(), String::new(), 0, false, false);
    for c in text.chars() {
        if is_text {
            is_text = is_escaped || c != '"';
            is_escaped = c == '\\' && !is_escaped;
        } else {
            match c {
                '"' => is_text = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth > 0 => depth -= 1,
                ')' => break,
                ',' if depth == 0 => {
                    items.push(std::mem::take(&mut item).trim().to_owned());
                    continue;
                }
                _ => {}
            }
        }
        item.push(c);
    }
    items.push(item.trim().to_owned());
    items.retain(|item| !item.is_empty());
    items
}

fn word_after_last<'a>(text: &'a str, marker: &str) -> &'a str {
    let (_, after) = text.rsplit_once(marker).unwrap();
    after.split(|c: char| !c.is_alphanumeric()).next().unwrap()
}

/// The gateway's and the library's, without their tests.
fn sources() -> Vec<(PathBuf, String)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders = vec![here.join("src"), here.parent().unwrap().join("keyward/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let text = text.split("\n#[cfg(test)]").next().unwrap().to_owned();
                sources.push((path, text));
            }
        }
    }
    sources
}
