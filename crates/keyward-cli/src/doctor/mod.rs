//! `keyward doctor`.

mod collect;
mod explain;
mod look;
mod progress;
mod screen;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use keyward_doctor::bundle;
use keyward_doctor::diagnosis::Diagnosis;
use keyward_doctor::facts::Facts;
use keyward_doctor::report::Report;
use keyward_doctor::rules;

use crate::exit::{Exit, Failure};
use crate::output::Output;
use look::LookArgs;
use screen::{Color, Screen};

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  keyward doctor --config keyward.toml
  keyward doctor --config keyward.toml --token - < token
  keyward doctor --issuer https://idp.example/realms/main --audience api
  keyward doctor --config keyward.toml --provider-log authority.log
  keyward doctor --authority http://127.0.0.1:9085
  keyward doctor --config keyward.toml --markdown > incident.md
  keyward doctor collect --config keyward.toml > bundle.json
  keyward doctor --facts bundle.json
  keyward doctor explain KW1203

It asks and changes nothing, and leaves alone whoever asks to be. What is wrong comes first,
with the evidence and the commands that mend it; what was healthy is listed, so that nobody
looks again. No token and no secret is in what it prints.

Exit code 0: nothing is wrong. 1: something is. 2: it could not look."
)]
pub(crate) struct DoctorArgs {
    #[command(subcommand)]
    command: Option<DoctorCommand>,
    #[command(flatten)]
    look: LookArgs,
    /// Look at what was collected elsewhere; - for standard input
    #[arg(long, value_name = "BUNDLE", conflicts_with_all = LookArgs::ALL, help_heading = "What to look at")]
    facts: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown, for an incident channel
    #[arg(long)]
    markdown: bool,
    /// Whether to print in colours; auto is where a terminal shows them
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum DoctorCommand {
    /// Print what is seen as a bundle, for --facts on another machine
    Collect(Box<collect::CollectArgs>),
    /// What a finding or an alert means, and what mends it; without one, all of them
    Explain(explain::ExplainArgs),
}

pub(crate) fn run(args: DoctorArgs) -> Result<Exit, Failure> {
    match &args.command {
        Some(DoctorCommand::Collect(args)) => return collect::run(args),
        Some(DoctorCommand::Explain(args)) => return explain::run(args),
        None => {}
    }
    let facts = match &args.facts {
        Some(path) => read(path)?,
        None => args.look.look()?,
    };
    let diagnosis = rules::diagnose(&facts);
    let report = Report::new(&facts, &diagnosis);
    let mut output = Output::stdout();
    if args.json {
        output.json(&report)?;
    } else if args.markdown {
        output.octets(report.markdown().as_bytes())?;
    } else {
        let Screen { width, paint } = Screen::of(args.color);
        output.octets(report.text(width, paint).as_bytes())?;
    }
    output.flush()?;
    Ok(exit(&diagnosis))
}

fn exit(diagnosis: &Diagnosis) -> Exit {
    match diagnosis {
        Diagnosis { findings, .. } if !findings.is_empty() => Exit::No,
        // Where nothing was seen to be well, silence is no good news.
        Diagnosis { healthy, .. } if healthy.is_empty() => Exit::Undecided,
        Diagnosis { .. } => Exit::Yes,
    }
}

/// What was collected; `-` is standard input. One octet more than the limit is read at most.
fn read(path: &Path) -> Result<Facts, Failure> {
    let most = u64::try_from(bundle::SIZE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    let shown = || path.display().to_string();
    if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut octets).map_err(Failure::Input)?;
    } else {
        let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut octets));
        read.map_err(|cause| Failure::File { path: shown(), cause })?;
    }
    bundle::read(&octets).map_err(|cause| Failure::Facts { path: shown(), cause })
}
