//! The rows that come out, one JSON object a line, as `cargo xtask bench --json` prints them.

use serde::Serialize;

/// The rows so far.
pub(crate) struct Rows {
    wanted: Vec<String>,
    all_passed: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    measured: String,
    target: String,
    passed: bool,
}

impl Rows {
    pub(crate) fn new(wanted: Vec<String>) -> Self {
        Self { wanted, all_passed: true }
    }

    /// Whether any row of a group may be wanted.
    pub(crate) fn wants_group(&self, group: &str) -> bool {
        self.wanted.is_empty()
            || self.wanted.iter().any(|name| name.starts_with(group) || group.starts_with(name.as_str()))
    }

    /// A ratio that must not be over its target.
    pub(crate) fn at_most(&mut self, name: &str, ratio: f64, target: f64, note: &str) {
        self.push(name, format!("{ratio:.3}{note}"), format!("at most {target}"), ratio <= target);
    }

    /// A ratio that must not be under its target.
    pub(crate) fn at_least(&mut self, name: &str, ratio: f64, target: f64, note: &str) {
        self.push(name, format!("{ratio:.3}{note}"), format!("at least {target}"), ratio >= target);
    }

    /// A number that is only told.
    pub(crate) fn told(&mut self, name: &str, measured: String) {
        self.push(name, measured, "told only".to_owned(), true);
    }

    fn push(&mut self, name: &str, measured: String, target: String, passed: bool) {
        self.all_passed &= passed;
        let row = Row { name, measured, target, passed };
        println!("{}", serde_json::to_string(&row).unwrap_or_default());
    }

    pub(crate) fn all_passed(&self) -> bool {
        self.all_passed
    }
}
