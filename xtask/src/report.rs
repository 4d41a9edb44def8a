//! One row a thing measured or checked; printed as a table, or as a JSON object a line.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// What one bench, interop pair or check came to.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    /// Names the row on the command line, such as `verify-rs256` or `glewlwyd`.
    pub(crate) name: String,
    /// What came out, for a person: a ratio, a count, a short sentence.
    pub(crate) measured: String,
    /// What had to come out.
    pub(crate) target: String,
    /// Whether it did.
    pub(crate) passed: bool,
}

/// Collects rows as they come in and says at the end whether all of them passed.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    rows: Vec<Row>,
}

impl Report {
    /// A report that prints each row as JSON at once, or all of them as a table at the end.
    pub(crate) fn new(json: bool) -> Self {
        Self { json, rows: Vec::new() }
    }

    /// Takes in one row.
    pub(crate) fn push(&mut self, row: Row) -> io::Result<()> {
        if self.json {
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, &row)?;
            writeln!(out)?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Prints the table and the closing line; `true` where every row passed.
    pub(crate) fn finish(self) -> io::Result<bool> {
        let passed = self.rows.iter().filter(|row| row.passed).count();
        let failed = self.rows.len() - passed;
        if !self.json {
            self.print_table()?;
            writeln!(io::stdout(), "\n{passed} passed, {failed} failed")?;
        }
        Ok(failed == 0)
    }

    fn print_table(&self) -> io::Result<()> {
        let width = |column: fn(&Row) -> &str, title: &str| {
            self.rows.iter().map(|row| column(row).chars().count()).chain([title.len()]).max().unwrap_or(0)
        };
        let name = width(|row| &row.name, "name");
        let measured = width(|row| &row.measured, "measured");
        let target = width(|row| &row.target, "target");
        let mut out = io::stdout().lock();
        writeln!(out, "{:name$}  {:measured$}  {:target$}  passed", "name", "measured", "target")?;
        for row in &self.rows {
            let passed = if row.passed { "yes" } else { "NO" };
            writeln!(
                out,
                "{:name$}  {:measured$}  {:target$}  {passed}",
                row.name, row.measured, row.target
            )?;
        }
        Ok(())
    }
}
