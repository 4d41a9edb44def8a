//! The reference pages that are made from the code, by the binary itself.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use crate::{Failure, Selection, command, runbook};

/// What the pages of the runbook are called together.
const RUNBOOK: &str = "runbook";

/// The pages, by their names in `keyward reference PAGE`.
const PAGES: [(&str, &str); 10] = [
    ("authority-api", "docs/reference/authority-api.md"),
    ("authority-causes", "docs/reference/authority-causes.md"),
    ("authority-configuration", "docs/reference/authority-configuration.md"),
    ("authority-metrics", "docs/reference/authority-metrics.md"),
    ("commands", "docs/reference/commands.md"),
    ("configuration", "docs/reference/configuration.md"),
    ("drills", "docs/reference/drills.md"),
    ("events", "docs/reference/events.md"),
    ("metrics", "docs/reference/metrics.md"),
    ("reasons", "docs/reference/reasons/README.md"),
];

/// Writes the pages that are named, all where none is.
pub(crate) fn write(selection: &Selection) -> Result<(), Failure> {
    if selection.wants(RUNBOOK) {
        for page in runbook::pages()? {
            if let Some(folder) = page.path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(page.path, page.text)?;
        }
    }
    for (path, text) in pages(selection)? {
        fs::write(path, text)?;
    }
    Ok(())
}

/// Whether each page that is named is what the code says, and those of the runbook are written to their end.
pub(crate) fn check(selection: &Selection) -> Result<bool, Failure> {
    let mut current = true;
    let mut is_current = |path: &PathBuf, text: &str| -> io::Result<()> {
        if fs::read_to_string(path).unwrap_or_default() != text {
            writeln!(io::stderr(), "{} is out of date: run `cargo xtask generate`", path.display())?;
            current = false;
        }
        Ok(())
    };
    let runbook = if selection.wants(RUNBOOK) { runbook::pages()? } else { Vec::new() };
    for page in &runbook {
        is_current(&page.path, &page.text)?;
    }
    for (path, text) in pages(selection)? {
        is_current(&path, &text)?;
    }
    for page in runbook.iter().filter(|page| !page.has_prose) {
        writeln!(io::stderr(), "{} has nothing below its head: write it", page.path.display())?;
        current = false;
    }
    for page in runbook.iter().filter(|page| page.has_prose) {
        if let Some(fault) = runbook::fault(page) {
            writeln!(io::stderr(), "{}: {fault}", page.path.display())?;
            current = false;
        }
    }
    Ok(current)
}

fn pages(selection: &Selection) -> Result<Vec<(PathBuf, String)>, Failure> {
    let wanted: Vec<_> = PAGES.iter().filter(|(page, _)| selection.wants(page)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    command::build_release()?;
    let keyward = command::release_binary("keyward");
    wanted
        .into_iter()
        .map(|(page, path)| {
            let text = command::output(Command::new(&keyward).args(["reference", page]))?;
            Ok((command::workspace().join(path), text))
        })
        .collect()
}
