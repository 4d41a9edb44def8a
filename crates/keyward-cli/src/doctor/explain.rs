//! `keyward doctor explain`: the page of a finding or an alert.

use std::str::FromStr;

use clap::Args;
use keyward_doctor::alert::{ALERTS, Alert};
use keyward_doctor::code::{Code, UnknownCode};

use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward doctor explain KW1203
  keyward doctor explain KeywardKeySetRefreshFailing
  keyward doctor explain | grep -i audience")]
pub(crate) struct ExplainArgs {
    /// The code of a finding, such as KW1203, or the name of an alert
    #[arg(value_name = "CODE_OR_ALERT")]
    matter: Option<Matter>,
}

/// What has a page among the runbook's.
#[derive(Clone, Copy, Debug)]
enum Matter {
    Alert(Alert),
    Finding(Code),
}

impl FromStr for Matter {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Alert::of(text).map_or_else(|| text.parse().map(Self::Finding), |alert| Ok(Self::Alert(alert)))
    }
}

impl Matter {
    fn explanation(self) -> &'static str {
        match self {
            Self::Alert(alert) => alert.explanation,
            Self::Finding(code) => code.explanation(),
        }
    }
}

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    match args.matter {
        Some(matter) => {
            // What is between them is made from the code; a reader need not know.
            let is_mark = |line: &&str| !matches!(*line, "<!-- generated -->" | "<!-- /generated -->");
            for line in matter.explanation().lines().filter(is_mark) {
                output.line(line)?;
            }
        }
        None => {
            for code in Code::ALL {
                output.line(format_args!("{code}  {}", code.title()))?;
            }
            for alert in ALERTS {
                output.line(format_args!("{}  an alert", alert.name))?;
            }
        }
    }
    output.flush()?;
    Ok(Exit::Yes)
}
