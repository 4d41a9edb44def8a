//! What can be told without running anything: formatting, lints, dependencies, links, generated pages.

use std::process::Command;
use std::time::Instant;

use crate::report::{Report, Row};
use crate::{Failure, Selection, command, generate, links};

const CARGO_DENY: &str = "0.20.2";

type Check = (&'static str, fn() -> Result<bool, Failure>);

const CHECKS: [Check; 6] = [
    ("format", || command::run(&mut command::cargo(&["fmt", "--all", "--check"]))),
    ("lints", lints),
    ("documentation", documentation),
    ("dependencies", dependencies),
    ("links", links::check),
    ("generated", || generate::check(&Selection::default())),
];

/// Runs the checks that are named, all where none is.
pub(crate) fn run(selection: &Selection) -> Result<bool, Failure> {
    if selection.list {
        return Selection::print_list(&CHECKS.map(|(name, _)| name));
    }
    let mut report = Report::new(selection.json);
    for (name, check) in CHECKS.into_iter().filter(|(name, _)| selection.wants(name)) {
        let started = Instant::now();
        let passed = check()?;
        report.push(Row {
            name: name.to_owned(),
            measured: format!("{:.1} s", started.elapsed().as_secs_f64()),
            target: "nothing to say".to_owned(),
            passed,
        })?;
    }
    Ok(report.finish()?)
}

fn lints() -> Result<bool, Failure> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    command::run(&mut command::cargo(&arguments))
}

fn documentation() -> Result<bool, Failure> {
    let mut doc = command::cargo(&["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
    command::run(doc.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// `advisories` needs a database from a git repository, which not every machine reaches (deny.toml).
fn dependencies() -> Result<bool, Failure> {
    let binary = command::tools().join("bin").join("cargo-deny");
    let installed = Command::new(&binary)
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(CARGO_DENY));
    if !installed {
        // Without optimisation it is built in a third of the time, and it runs once.
        let mut install = command::cargo(&["install", "cargo-deny", "--locked", "--debug", "--version"]);
        if !command::run(install.arg(CARGO_DENY).arg("--root").arg(command::tools()))? {
            return Err(Failure("cargo-deny could not be installed".to_owned()));
        }
    }
    command::run(
        Command::new(binary)
            .args(["deny", "--all-features", "check", "bans", "licenses", "sources"])
            .current_dir(command::workspace()),
    )
}
