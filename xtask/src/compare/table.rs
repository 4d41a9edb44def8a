//! The table, and the page that it stands on.

use std::fs;
use std::path::Path;

use super::verdict::{Outcome, Verdict};
use crate::Failure;

const BEGIN: &str = "<!-- begin: cargo xtask compare -->\n";
const END: &str = "<!-- end: cargo xtask compare -->\n";

/// A row a drill, a column a gateway.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
}

/// One gateway.
#[derive(Debug)]
pub(super) struct Column {
    /// In JSON rows.
    pub(super) name: &'static str,
    /// What it is, with its versions.
    pub(super) title: String,
    /// What each drill came to, in the order of the drills.
    pub(super) verdicts: Vec<Verdict>,
}

impl Table {
    /// Of columns with the same drills.
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns }
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// In Markdown: a list of how many passed where, then the table.
    pub(super) fn markdown(&self) -> String {
        let sums: String = self.columns.iter().map(Column::sum).collect();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = self.columns.iter().map(|column| cell(std::slice::from_ref(&column.title)));
        let head = line(std::iter::once("drill".to_owned()).chain(head).collect());
        let rule = format!("|{}\n", "---|".repeat(self.columns.len() + 1));
        let drills = self.columns.first().map(|column| column.verdicts.as_slice()).unwrap_or_default();
        let rows = drills.iter().enumerate().map(|(place, drill)| {
            let verdicts = self.columns.iter().filter_map(|column| column.verdicts.get(place));
            let cells = verdicts.map(|verdict| cell(&verdict.lines()));
            line(std::iter::once(format!("`{}`", drill.name)).chain(cells).collect())
        });
        let rows: String = rows.collect();
        format!("{sums}\n{head}{rule}{rows}")
    }

    /// Puts the table where the page has the last one.
    pub(super) fn write(&self, page: &Path) -> Result<(), Failure> {
        let text = fs::read_to_string(page)?;
        let text = between_markers(&text, &self.markdown())
            .ok_or_else(|| Failure(format!("{} has lost its markers", page.display())))?;
        Ok(fs::write(page, text)?)
    }
}

impl Column {
    fn sum(&self) -> String {
        let count = |wanted| self.verdicts.iter().filter(|verdict| verdict.result == wanted).count();
        let broken = match count(Outcome::Broken) {
            0 => String::new(),
            count => format!(", {count} could not be run"),
        };
        format!(
            "- {}: {} passed, {} failed, {} not applicable{broken}\n",
            self.title,
            count(Outcome::Passed),
            count(Outcome::Failed),
            count(Outcome::NotApplicable)
        )
    }
}

fn cell(lines: &[String]) -> String {
    lines.join("<br>").replace('|', "\\|")
}

fn between_markers(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_gateway() {
        let verdict = |result: &str| {
            let json =
                format!(r#"{{"name": "outage", "result": "{result}", "reason": "a|b", "phases": []}}"#);
            serde_json::from_str::<Verdict>(&json).unwrap()
        };
        let column = |title: &str, result| Column {
            name: "x",
            title: title.to_owned(),
            verdicts: vec![verdict(result)],
        };
        let table = Table::new(vec![column("One 1.0", "passed"), column("Two 2.0", "not_applicable")]);
        assert_eq!(
            table.markdown(),
            "- One 1.0: 1 passed, 0 failed, 0 not applicable\n\
             - Two 2.0: 0 passed, 0 failed, 1 not applicable\n\n\
             | drill | One 1.0 | Two 2.0 |\n|---|---|---|\n\
             | `outage` | passed | not applicable: a\\|b |\n"
        );
    }

    #[test]
    fn only_what_is_between_the_markers_is_written() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let written = between_markers(&page, "new\n").unwrap();
        assert_eq!(written, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(between_markers(&written, "new\n").unwrap(), written);
        assert_eq!(between_markers("before", "new"), None);
    }
}
