//! `keyward doctor explain`: the page of a finding.

use clap::Args;
use keyward_doctor::code::Code;

use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward doctor explain KW1203
  keyward doctor explain | grep -i audience")]
pub(crate) struct ExplainArgs {
    /// The code of a finding, such as KW1203
    code: Option<Code>,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    match args.code {
        Some(code) => {
            // What is between them is made from the code; a reader need not know.
            let is_mark = |line: &&str| !matches!(*line, "<!-- generated -->" | "<!-- /generated -->");
            for line in code.explanation().lines().filter(is_mark) {
                output.line(line)?;
            }
        }
        None => {
            for code in Code::ALL {
                output.line(format_args!("{code}  {}", code.title()))?;
            }
        }
    }
    output.flush()?;
    Ok(Exit::Yes)
}
