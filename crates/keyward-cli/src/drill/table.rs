//! The report as a table for a person.

use keyward_drill::report::{DrillReport, Report, Result as DrillResult};

use crate::exit::Failure;
use crate::output::Output;

/// Writes a line a drill, what was not as it should be below it, and the sum.
pub(super) fn write(report: &Report, output: &mut Output) -> Result<(), Failure> {
    let width = report.drills.iter().map(|drill| drill.name.len()).max().unwrap_or(0);
    for drill in &report.drills {
        output.line(format_args!("{:width$}  {:14}  {}", drill.name, word(drill.result), note(drill)))?;
        for (phase, failure) in drill.failures() {
            output.line(format_args!("{:width$}    {phase}: {}", "", failure.text))?;
        }
    }
    let skipped = match report.not_applicable {
        0 => String::new(),
        count => format!(", {count} not applicable"),
    };
    output.line(format_args!("{} passed, {} failed{skipped}", report.passed, report.failed))
}

fn word(result: DrillResult) -> &'static str {
    match result {
        DrillResult::Broken => "broken",
        DrillResult::Failed => "FAILED",
        DrillResult::NotApplicable => "not applicable",
        DrillResult::Passed => "passed",
    }
}

/// What there is to say of it besides.
fn note(drill: &DrillReport) -> String {
    if let Some(reason) = &drill.reason {
        return reason.clone();
    }
    let expectations: Option<u64> =
        drill.phases.iter().filter_map(|phase| phase.expectations).reduce(|a, b| a + b);
    if let Some(expectations) = expectations {
        return format!("{expectations} expectations in {:.1} s", drill.took_seconds);
    }
    let judged: u64 =
        drill.phases.iter().flat_map(|phase| phase.streams.values()).map(|stream| stream.judged).sum();
    let attempts = match drill.attempts {
        1 => String::new(),
        attempts => format!(", in {attempts} attempts"),
    };
    format!("{judged} verdicts in {:.1} s{attempts}", drill.took_seconds)
}
