//! The reference pages that are made from the code, by the binary itself.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use crate::{Failure, command};

/// The pages, by their names in `keyward reference PAGE`.
const PAGES: [(&str, &str); 9] = [
    ("authority-api", "docs/reference/authority-api.md"),
    ("authority-causes", "docs/reference/authority-causes.md"),
    ("authority-configuration", "docs/reference/authority-configuration.md"),
    ("authority-metrics", "docs/reference/authority-metrics.md"),
    ("commands", "docs/reference/commands.md"),
    ("configuration", "docs/reference/configuration.md"),
    ("drills", "docs/reference/drills.md"),
    ("metrics", "docs/reference/metrics.md"),
    ("reasons", "docs/reference/reasons/README.md"),
];

/// Writes all pages.
pub(crate) fn write() -> Result<(), Failure> {
    for (path, text) in pages()? {
        fs::write(path, text)?;
    }
    Ok(())
}

/// Whether each page is what the code says.
pub(crate) fn check() -> Result<bool, Failure> {
    let mut current = true;
    for (path, text) in pages()? {
        if fs::read_to_string(&path).unwrap_or_default() != text {
            writeln!(io::stderr(), "{} is out of date: run `cargo xtask generate`", path.display())?;
            current = false;
        }
    }
    Ok(current)
}

fn pages() -> Result<Vec<(PathBuf, String)>, Failure> {
    command::build_release(&["keyward-cli"])?;
    let keyward = command::release_binary("keyward");
    PAGES
        .iter()
        .map(|(page, path)| {
            let text = command::output(Command::new(&keyward).args(["reference", page]))?;
            Ok((command::workspace().join(path), text))
        })
        .collect()
}
