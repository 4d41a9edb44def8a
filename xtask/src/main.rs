//! Keyward's own tasks. `cargo xtask --help` lists them.
#![allow(clippy::disallowed_methods, reason = "a task runner measures and waits by the real clock")]

mod bench;
mod check;
mod command;
mod compare;
mod drill;
mod fuzz;
mod generate;
mod instructions;
mod interop;
mod links;
mod report;
mod runbook;
mod test;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Keyward's own tasks", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that CI runs: check, all tests, the instruction counts, interop.
    Test,
    /// Formatting, lints, dependencies, links, generated pages.
    Check(Selection),
    /// Every drill, over sockets and in virtual time, on the release build.
    Drill,
    /// The drills against other gateways too, and the table of what each does.
    Compare(Selection),
    /// Real identity providers and real proxies, installed, started and put through Keyward.
    Interop(interop::Options),
    /// Ratios to peers measured in one interleaved run. Wants a machine that does nothing else.
    Bench(Selection),
    /// The instructions of the hot paths, by callgrind, against those in the repository.
    Instructions(instructions::Options),
    /// Writes the pages that are made from the code, and the heads of the runbook's.
    Generate(Generate),
    /// Looks for inputs that break a parser.
    Fuzz(fuzz::Options),
}

/// Which pages to write.
#[derive(Debug, clap::Args)]
struct Generate {
    /// Only pages whose name begins with one of these: commands, runbook and so on.
    names: Vec<String>,
    /// Write nothing, and say what is out of date.
    #[arg(long)]
    check: bool,
}

/// Which rows to run, and how to print them.
#[derive(Debug, Default, clap::Args)]
struct Selection {
    /// Run only rows whose name begins with one of these.
    names: Vec<String>,
    /// Print the names of the rows and run nothing.
    #[arg(long)]
    list: bool,
    /// Print a JSON object a line in place of the table.
    #[arg(long)]
    json: bool,
}

impl Selection {
    fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| name.starts_with(wanted.as_str()))
    }

    /// Prints the names, a line each.
    fn print_list(names: &[&str]) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        names.iter().try_for_each(|name| writeln!(out, "{name}"))?;
        Ok(true)
    }
}

/// Why a task could not be done at all.
#[derive(Debug)]
struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test => test::run(),
        Task::Check(selection) => check::run(&selection),
        Task::Drill => drill::run(),
        Task::Compare(selection) => compare::run(&selection),
        Task::Interop(options) => run_interop(&options),
        Task::Bench(selection) => bench::run(&selection),
        Task::Instructions(options) => instructions::run(&options),
        Task::Generate(Generate { names, check }) => {
            let selection = Selection { names, ..Selection::default() };
            if check { generate::check(&selection) } else { generate::write(&selection).map(|()| true) }
        }
        Task::Fuzz(options) => fuzz::run(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure(message)) => {
            let _ = writeln!(io::stderr(), "xtask: {message}");
            ExitCode::from(2)
        }
    }
}

fn run_interop(options: &interop::Options) -> Result<bool, Failure> {
    if options.wants_release() {
        command::build_release()?;
    }
    let keyward = options.keyward().map_or_else(|| command::release_binary("keyward"), Path::to_owned);
    Ok(interop::run(options, &keyward, &command::workspace().join(".interop"))?)
}
