//! The runbook's pages, one for each code of the doctor: their heads are made from the codes, their prose is written by hand.
//!
//! The codes are read from the source and not from the crate: it holds the pages, so that without the page of a new code it
//! cannot be built.

mod alerts;
mod code;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Failure, command};
use code::Code;

const FOLDER: &str = "docs/how-to/runbook";
const CODES: &str = "crates/keyward-doctor/src/code.rs";

/// Around what is made.
const BEGIN: &str = "<!-- generated -->\n";
const END: &str = "<!-- /generated -->\n";

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
    alerts::check(&codes, &workspace)?;
    let folder = workspace.join(FOLDER);
    let mut pages: Vec<Page> = codes.iter().map(|code| page(&folder, code)).collect::<Result<_, _>>()?;
    pages.push(Page { path: folder.join("README.md"), text: index(&codes), has_prose: true });
    Ok(pages)
}

fn page(folder: &Path, code: &Code) -> Result<Page, Failure> {
    let path = folder.join(format!("{code}.md"));
    let written = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
    let prose = match written.split_once(END) {
        Some((_, prose)) => prose,
        None if written.is_empty() => "",
        None => return Err(Failure(format!("{}: it has no {}", path.display(), END.trim_end()))),
    };
    let text = format!("{BEGIN}{}{END}{prose}", head(folder, code));
    Ok(Page { path, text, has_prose: !prose.trim().is_empty() })
}

fn head(folder: &Path, code: &Code) -> String {
    let mut head = format!("# {code}: {}\n\n", code.title);
    let _ = writeln!(head, "- Who can mend it: {}", code.who());
    let _ = writeln!(head, "- First command: `{}`", code.first_command());
    let alerts: Vec<String> = alerts::leading_to(code).map(|alert| shown(folder, alert)).collect();
    if !alerts.is_empty() {
        let _ = writeln!(head, "- Alerts that lead here: {}", alerts.join(", "));
    }
    head
}

/// An alert, with its page where it has one.
fn shown(folder: &Path, alert: &str) -> String {
    let page = format!("{alert}.md");
    if folder.join(&page).exists() { format!("[{alert}]({page})") } else { format!("`{alert}`") }
}

fn index(codes: &[Code]) -> String {
    let mut page = "# Runbook\n\n<!-- Made from the code by `cargo xtask generate`. -->\n\n\
         A page for each finding of [`keyward doctor`](../doctor.md). `keyward doctor explain KW1203` prints one, \
         without a network.\n"
        .to_owned();
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
