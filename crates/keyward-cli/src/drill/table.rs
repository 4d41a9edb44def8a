//! The report as tables for a person.

use std::collections::BTreeMap;

use keyward_drill::report::{DrillReport, PhaseReport, Report, Result as DrillResult};

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
    findings(report, width, output)?;
    let skipped = match report.not_applicable {
        0 => String::new(),
        count => format!(", {count} not applicable"),
    };
    output.line(format_args!("{} passed, {} failed{skipped}", report.passed, report.failed))
}

/// Where a doctor looked: what it named first at the end of each phase, and what the codes mean.
fn findings(report: &Report, width: usize, output: &mut Output) -> Result<(), Failure> {
    let is_looked_at = |phase: &PhaseReport| phase.doctor.is_some();
    let looked: Vec<_> = report.drills.iter().filter(|drill| drill.phases.iter().any(is_looked_at)).collect();
    if looked.is_empty() {
        return Ok(());
    }
    output.line(format_args!("\n{:width$}  first finding, phase by phase", "drill"))?;
    let mut titles = BTreeMap::new();
    let (mut right, mut wrong) = (0, 0);
    for drill in looked {
        let mut named = Vec::new();
        for looked in drill.phases.iter().filter_map(|phase| phase.doctor.as_ref()) {
            let first = looked.found.first();
            titles.extend(first.map(|found| (found.code, found.code.title())));
            let code = first.map_or_else(|| NOTHING.to_owned(), |found| found.code.to_string());
            if looked.right {
                right += 1;
                named.push(code);
            } else {
                wrong += 1;
                named.push(format!("{code}!"));
            }
        }
        output.line(format_args!("{:width$}  {}", drill.name, named.join("  ")))?;
    }
    output.line(format_args!("\n{NOTHING} nothing   ! not what the drill says"))?;
    for (code, title) in titles {
        output.line(format_args!("{code} {title}"))?;
    }
    output.line(format_args!("the doctor was right {right} times, wrong {wrong} times\n"))
}

/// What stands for no finding.
const NOTHING: &str = "-";

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
        let left_out = drill.left_out.as_ref().map(|what| format!(", without {what}")).unwrap_or_default();
        return format!("{expectations} expectations in {:.1} s{left_out}", drill.took_seconds);
    }
    let judged: u64 =
        drill.phases.iter().flat_map(|phase| phase.streams.values()).map(|stream| stream.judged).sum();
    let attempts = match drill.attempts {
        1 => String::new(),
        attempts => format!(", in {attempts} attempts"),
    };
    format!("{judged} verdicts in {:.1} s{attempts}", drill.took_seconds)
}
