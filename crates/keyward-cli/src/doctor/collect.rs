//! `keyward doctor collect`: facts for another machine.

use clap::Args;

use super::look::LookArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward doctor collect --config keyward.toml > bundle.json
  keyward doctor collect --config keyward.toml --since 1h --provider-log zitadel.log > bundle.json
  keyward doctor --facts bundle.json

The bundle is one JSON object without any token, secret, private key or value of a claim. It has
names, addresses, key ids, certificates' names and counts.

Exit code 0: it was printed, whatever was seen. 2: it could not look.")]
pub(crate) struct CollectArgs {
    #[command(flatten)]
    look: LookArgs,
}

pub(crate) fn run(args: &CollectArgs) -> Result<Exit, Failure> {
    let facts = args.look.look()?;
    let mut output = Output::stdout();
    output.json(&facts)?;
    output.flush()?;
    Ok(Exit::Yes)
}
