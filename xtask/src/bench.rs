//! Runs the benchmarks and reports their rows.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::interop::{Installed, Measured, Workshop};
use crate::report::{Report, Row};
use crate::{Failure, Selection, command};

/// The rows whose servers are started here: other people's are among them.
const AUTHORITY: &str = "authority";

/// Runs what is named, everything where nothing is.
pub(crate) fn run(selection: &Selection) -> Result<bool, Failure> {
    command::build_release()?;
    let mut bench = std::process::Command::new(command::release_binary("keyward-bench"));
    if selection.list {
        let list = command::output(bench.arg("list"))?;
        return Selection::print_list(&list.lines().collect::<Vec<_>>());
    }
    let keyward = command::release_binary("keyward");
    bench.arg("measure").args(&selection.names).arg("--keyward").arg(&keyward);
    let wants_authority =
        selection.wants(AUTHORITY) || selection.names.iter().any(|name| name.starts_with(AUTHORITY));
    let workshop = wants_authority
        .then(|| Workshop::open(Installed::ensure(&command::workspace().join(".interop"))?, &keyward))
        .transpose()?;
    let measured = workshop.as_ref().map(Measured::start).transpose()?;
    if let Some(measured) = &measured {
        bench.arg("--authority").arg(measured.file());
    }
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
