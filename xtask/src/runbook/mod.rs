//! The runbook's pages, one for each alert and for each code of the doctor: their heads are made from the rules and the codes,
//! their prose is written by hand.
//!
//! The codes are read from the source and not from the crate: it holds the pages, so that without the page of a new code it
//! cannot be built.

mod alerts;
mod code;
mod prose;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Failure, command};
use alerts::Alert;
use code::Code;

const FOLDER: &str = "docs/how-to/runbook";
const CODES: &str = "crates/keyward-doctor/src/code.rs";

/// Around what is made.
const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- /generated -->\n";

/// How long a line of a page is at most, but for tables.
const WIDTH: usize = 118;

/// A page as it should be.
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Whether somebody wrote something below its head, where somebody should.
    pub(crate) has_prose: bool,
}

/// All pages, and their index.
pub(crate) fn pages() -> Result<Vec<Page>, Failure> {
    let workspace = command::workspace();
    let codes = code::parse(&fs::read_to_string(workspace.join(CODES))?)?;
    let alerts = alerts::read(&codes, &workspace)?;
    let folder = workspace.join(FOLDER);
    let mut pages = vec![page(&folder, "README", &index(&codes, &alerts))?];
    for alert in &alerts {
        pages.push(page(&folder, &alert.name, &head_of_alert(alert, &codes))?);
    }
    for code in &codes {
        pages.push(page(&folder, &code.to_string(), &head(code))?);
    }
    Ok(pages)
}

/// What is wrong with what was written by hand: parts that are missing.
pub(crate) fn fault(page: &Page) -> Option<String> {
    prose::fault(&page.path, &page.text)
}

/// The page of this name: `made` in the place of what was made before, and the rest as somebody wrote it.
fn page(folder: &Path, name: &str, made: &str) -> Result<Page, Failure> {
    let path = folder.join(format!("{name}.md"));
    let written = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
    let (before, rest) = written.split_once(BEGIN).unwrap_or_default();
    let prose = match rest.split_once(END) {
        Some((_, prose)) => prose,
        None if written.is_empty() => "",
        None => {
            let (begin, end) = (BEGIN.trim_end(), END.trim_end());
            return Err(Failure(format!("{}: it has no {begin} and {end}", path.display())));
        }
    };
    let text = format!("{before}{BEGIN}{made}{END}{prose}");
    Ok(Page { path, text, has_prose: !prose.trim().is_empty() })
}

fn head(code: &Code) -> String {
    let mut head = format!("# {code}: {}\n\n", code.title);
    let _ = writeln!(head, "- Who can mend it: {}", code.who());
    let _ = writeln!(head, "- First command: `{}`", code.first_command());
    let alerts: Vec<String> =
        alerts::leading_to(code).map(|alert| format!("[{alert}]({alert}.md)")).collect();
    if !alerts.is_empty() {
        head += &wrapped(&format!("- Alerts that lead here: {}", alerts.join(", ")));
    }
    head
}

fn head_of_alert(alert: &Alert, codes: &[Code]) -> String {
    let Alert { name, lasts, severity, first_command } = alert;
    let link = |code: &Code| format!("[{code}]({code}.md)");
    let runs = alert.runs(codes);
    let findings = runs.iter().map(|(first, last)| {
        if first == last { link(first) } else { format!("{} to {}", link(first), link(last)) }
    });
    let findings: Vec<String> = findings.collect();
    let findings = wrapped(&format!("- Findings that it may come with: {}", findings.join(", ")));
    format!(
        "# {name}\n\n- Severity: {severity}, when it has lasted {lasts}\n- First command: `{first_command}`\n{findings}"
    )
}

/// An item of a list, in lines that fit a terminal.
fn wrapped(item: &str) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for word in item.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            lines += "\n  ";
            width = 2;
        } else if width > 0 {
            lines += " ";
            width += 1;
        }
        lines += word;
        width += length;
    }
    lines + "\n"
}

fn index(codes: &[Code], alerts: &[Alert]) -> String {
    let mut page = "## Alerts\n\n| alert | severity |\n|---|---|\n".to_owned();
    for Alert { name, severity, .. } in alerts {
        let _ = writeln!(page, "| [{name}]({name}.md) | {severity} |");
    }
    let mut family = None;
    for code in codes {
        if family != Some(code.family()) {
            family = Some(code.family());
            let _ = write!(
                page,
                "\n## {}\n\n| code | finding | who can mend it |\n|---|---|---|\n",
                code.family()
            );
        }
        let _ = writeln!(page, "| [{code}]({code}.md) | {} | {} |", code.title, code.who());
    }
    page
}
