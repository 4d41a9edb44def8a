//! For a person who was woken up.

use super::Report;
use super::lines::{Lines, Paint, Tone};
use super::words::{consequences, headline, in_words, looked_at};
use crate::diagnosis::{Certainty, Finding};

/// The lines of the first screen: those of a terminal as it has always been, and one for the next prompt.
const SCREEN: usize = 23;

/// Lines of evidence at most, and where the screen is short.
const EVIDENCE: usize = 6;
const EVIDENCE_LEAST: usize = 2;

/// Lines of evidence for what is not first.
const EVIDENCE_LATER: usize = 3;

pub(super) fn write(report: &Report<'_>, width: usize, paint: Paint) -> String {
    let mut lines = Lines::new(width, paint);
    let (facts, diagnosis) = (report.facts, report.diagnosis);
    match diagnosis.findings.split_first() {
        None if diagnosis.healthy.is_empty() => {
            lines.wrapped(Tone::Likely, "", "Nothing could be looked at.");
        }
        None => lines.wrapped(Tone::Good, "", "Nothing is wrong in what was looked at."),
        Some((first, rest)) => {
            lines.append(first_screen(first, rest.len(), width, paint));
            for finding in rest {
                lines.blank();
                add(&mut lines, finding, EVIDENCE_LATER);
            }
        }
    }
    let healthy: Vec<String> = diagnosis.healthy.iter().map(in_words).collect();
    add_list(&mut lines, "Healthy", Tone::Good, &healthy);
    add_list(&mut lines, "Not seen", Tone::Normal, &diagnosis.unseen);
    lines.blank();
    lines.wrapped(Tone::Quiet, "", &looked_at(facts));
    lines.into_text()
}

/// The first finding with as much evidence as leaves it on the screen.
fn first_screen(first: &Finding, more: usize, width: usize, paint: Paint) -> Lines {
    let screen = |evidence| {
        let mut lines = Lines::new(width, paint);
        add(&mut lines, first, evidence);
        if more > 0 {
            lines.blank();
            let noun = if more == 1 { "finding" } else { "findings" };
            lines.wrapped(Tone::Heading, "", &format!("{more} more {noun}, below"));
        }
        lines
    };
    let fitting = (EVIDENCE_LEAST..=EVIDENCE).rev().map(screen).find(|lines| lines.len() <= SCREEN);
    fitting.unwrap_or_else(|| screen(EVIDENCE_LEAST))
}

fn add(lines: &mut Lines, finding: &Finding, evidence: usize) {
    let tone = match finding.certainty {
        Certainty::Certain => Tone::Certain,
        Certainty::Likely => Tone::Likely,
        Certainty::Possible => Tone::Possible,
    };
    let code = finding.code;
    lines.wrapped(tone, &format!("{code} "), &headline(finding));
    let (certainty, who) = (finding.certainty.word(), code.who().phrase());
    lines.wrapped(
        Tone::Quiet,
        "  ",
        &format!("{certainty}; to be mended by {who}; more: keyward doctor explain {code}"),
    );
    if !finding.evidence.is_empty() {
        lines.whole(Tone::Heading, "  ", "Seen");
        for fact in finding.evidence.iter().take(evidence) {
            lines.wrapped(Tone::Normal, "  - ", fact);
        }
        if let Some(left @ 1..) = finding.evidence.len().checked_sub(evidence) {
            lines.wrapped(Tone::Quiet, "  - ", &format!("{left} more, in --json and --markdown"));
        }
    }
    if !finding.fix.is_empty() {
        lines.whole(Tone::Heading, "  ", "To do");
        for (number, step) in (1..).zip(&finding.fix) {
            lines.wrapped(Tone::Normal, &format!("  {number}. "), &step.what);
            if let Some(command) = &step.command {
                lines.whole(Tone::Command, "       ", command);
            }
        }
    }
    let consequences = consequences(finding);
    if !consequences.is_empty() {
        lines.whole(Tone::Heading, "  ", "Follows from it");
        for consequence in consequences {
            let is_of_same = consequence.issuer == finding.issuer;
            let cause = if is_of_same { consequence.cause.clone() } else { headline(consequence) };
            lines.cut(Tone::Normal, "  - ", &format!("{} {cause}", consequence.code));
        }
    }
}

fn add_list(lines: &mut Lines, title: &str, tone: Tone, texts: &[String]) {
    if texts.is_empty() {
        return;
    }
    lines.blank();
    lines.whole(Tone::Heading, "", title);
    for text in texts {
        lines.wrapped(tone, "  - ", text);
    }
}
