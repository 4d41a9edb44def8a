//! `keyward drill list` and `keyward drill show`.

use clap::Args;
use keyward_drill::error::DrillError;
use keyward_drill::{authority, catalogue};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Print a JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let drills = catalogue::all()?;
    let names = drills.iter().map(|drill| drill.name.len());
    let width = names.chain(authority::ALL.iter().map(|drill| drill.name.len())).max().unwrap_or(0);
    let mut output = Output::stdout();
    for drill in &drills {
        if args.json {
            output.json(&json!({
                "name": drill.name,
                "title": drill.title,
                "about": drill.about,
                "incidents": drill.incidents,
                "lasts_seconds": drill.lasts().as_secs_f64(),
                "phases": drill.phases.iter().map(|phase| &phase.name).collect::<Vec<_>>(),
            }))?;
        } else {
            let incidents = drill.incidents.join(" ");
            output.line(format_args!("{:width$}  {:10}  {}", drill.name, incidents, drill.title))?;
        }
    }
    for drill in authority::ALL {
        if args.json {
            output.json(&json!({
                "name": drill.name,
                "title": drill.title,
                "about": drill.about,
                "incidents": drill.incidents,
                "phases": drill.phases,
                "subject": "authority",
            }))?;
        } else {
            let incidents = drill.incidents.join(" ");
            output.line(format_args!("{:width$}  {:10}  {}", drill.name, incidents, drill.title))?;
        }
    }
    output.flush()?;
    Ok(Exit::Yes)
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward drill show rotation-overlapping
  keyward drill show rotation-overlapping > mine.toml
  keyward drill run mine.toml")]
pub(crate) struct ShowArgs {
    /// Which
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn show(args: &ShowArgs) -> Result<Exit, Failure> {
    if let Some(drill) = authority::find(&args.name) {
        // It has no file: what happens in it are calls.
        let mut output = Output::stdout();
        output.line(format_args!("{}: {}\n\n{}", drill.name, drill.title, drill.about))?;
        output.flush()?;
        return Ok(Exit::Yes);
    }
    let text = catalogue::text_of(&args.name);
    let text = text.ok_or_else(|| DrillError::Unknown { name: args.name.clone() })?;
    let mut output = Output::stdout();
    output.octets(text.as_bytes())?;
    output.flush()?;
    Ok(Exit::Yes)
}
