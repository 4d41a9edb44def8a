//! `keyward drill`.

mod lab;
mod list;
mod progress;
mod random;
mod record;
mod run;
mod table;

use clap::Subcommand;

use crate::exit::{Exit, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// The drills that come along
    List(list::ListArgs),
    /// Print a drill's file, to read it or to start one of your own from it
    Show(list::ShowArgs),
    /// Run drills: against this gateway, against another, or in virtual time
    Run(run::RunArgs),
    /// Play random schedules of faults, rotations, restarts and requests, and hold the answers against the promises
    Random(random::RandomArgs),
    /// Start the provider that misbehaves on command, by itself
    Lab(lab::LabArgs),
    /// Write down what a real provider publishes, for the lab to replay
    Record(record::RecordArgs),
}

pub(crate) fn run(command: DrillCommand) -> Result<Exit, Failure> {
    match command {
        DrillCommand::Lab(args) => lab::run(&args),
        DrillCommand::List(args) => list::list(&args),
        DrillCommand::Random(args) => random::run(&args),
        DrillCommand::Record(args) => record::run(&args),
        DrillCommand::Run(args) => run::run(&args),
        DrillCommand::Show(args) => list::show(&args),
    }
}
