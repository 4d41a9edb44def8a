//! Runs the benchmarks and reports their rows.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::report::{Report, Row};
use crate::{Failure, Selection, command};

/// Runs what is named, everything where nothing is.
pub(crate) fn run(selection: &Selection) -> Result<bool, Failure> {
    command::build_release(&["keyward-bench", "keyward-cli"])?;
    let mut bench = std::process::Command::new(command::release_binary("keyward-bench"));
    if selection.list {
        let list = command::output(bench.arg("list"))?;
        return Selection::print_list(&list.lines().collect::<Vec<_>>());
    }
    bench.arg("measure").args(&selection.names).arg("--keyward").arg(command::release_binary("keyward"));
    let mut process = bench.stdout(Stdio::piped()).spawn()?;
    let mut report = Report::new(selection.json);
    if let Some(rows) = process.stdout.take() {
        for line in BufReader::new(rows).lines() {
            report.push(serde_json::from_str::<Row>(&line?)?)?;
        }
    }
    let status = process.wait()?;
    // 1 says that a row fell short, which the report says too; more means that not all was measured.
    if status.code().is_none_or(|code| code > 1) {
        return Err(Failure(format!("the benchmark ended early: {status}")));
    }
    Ok(report.finish()? && status.success())
}
