//! The report as JUnit XML, which CI servers read.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::BytesText;

use crate::report::{DrillReport, PhaseReport, Report, Result as DrillResult};

/// Writes it: a test case a drill.
///
/// # Errors
/// What `out` says.
pub fn write(report: &Report, out: impl Write) -> io::Result<()> {
    let mut writer = Writer::new_with_indent(out, b' ', 2);
    let took: f64 = report.drills.iter().map(|drill| drill.took_seconds).sum();
    writer
        .create_element("testsuite")
        .with_attributes([
            ("name", "keyward drill"),
            ("tests", report.drills.len().to_string().as_str()),
            ("failures", report.failed.to_string().as_str()),
            ("skipped", report.not_applicable.to_string().as_str()),
            ("time", format!("{took:.3}").as_str()),
        ])
        .write_inner_content(|writer| report.drills.iter().try_for_each(|drill| case(writer, drill)))?;
    writer.into_inner().write_all(b"\n")
}

fn case<W: Write>(writer: &mut Writer<W>, drill: &DrillReport) -> io::Result<()> {
    let case = writer.create_element("testcase").with_attributes([
        ("name", drill.name.as_str()),
        ("classname", "drill"),
        ("time", format!("{:.3}", drill.took_seconds).as_str()),
    ]);
    let reason = drill.reason.as_deref().unwrap_or_default();
    match drill.result {
        DrillResult::Passed if findings(drill).is_empty() => case.write_empty().map(drop),
        DrillResult::Passed => case.write_inner_content(|writer| found(writer, drill)).map(drop),
        DrillResult::NotApplicable => case
            .write_inner_content(|writer| {
                writer.create_element("skipped").with_attribute(("message", reason)).write_empty().map(drop)
            })
            .map(drop),
        DrillResult::Broken => {
            let element = "error";
            case.write_inner_content(|writer| {
                writer.create_element(element).with_attribute(("message", reason)).write_empty().map(drop)
            })
            .map(drop)
        }
        DrillResult::Failed => case
            .write_inner_content(|writer| {
                let lines: Vec<String> =
                    drill.failures().map(|(phase, failure)| format!("{phase}: {}", failure.text)).collect();
                let message = lines.first().map(String::as_str).unwrap_or_default();
                writer
                    .create_element("failure")
                    .with_attribute(("message", message))
                    .write_text_content(BytesText::new(&lines.join("\n")))?;
                found(writer, drill)
            })
            .map(drop),
    }
}

/// What the doctor named, where one looked.
fn found<W: Write>(writer: &mut Writer<W>, drill: &DrillReport) -> io::Result<()> {
    let findings = findings(drill);
    if findings.is_empty() {
        return Ok(());
    }
    let text = findings.join("\n");
    writer.create_element("system-out").write_text_content(BytesText::new(&text)).map(drop)
}

/// A line for each phase at whose end a doctor looked.
fn findings(drill: &DrillReport) -> Vec<String> {
    let of_phase = |phase: &PhaseReport| Some(format!("{}: {}", phase.name, phase.doctor.as_ref()?));
    drill.phases.iter().filter_map(of_phase).collect()
}
