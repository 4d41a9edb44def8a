//! What is made from the command line's own description: completions and manual pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::command;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward completions bash > /etc/bash_completion.d/keyward
  keyward completions zsh > ~/.zfunc/_keyward
  keyward completions fish > ~/.config/fish/completions/keyward.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  keyward man | man -l -
  keyward man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write one page for each command into this folder instead of printing the first
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "keyward", &mut script);
    print(&script)
}

pub(crate) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    match &args.out {
        Some(folder) => {
            let failure = |cause| Failure::File { path: folder.display().to_string(), cause };
            std::fs::create_dir_all(folder).map_err(failure)?;
            clap_mangen::generate_to(command(), folder).map_err(failure)?;
            Ok(Exit::Yes)
        }
        None => {
            let mut page = Vec::new();
            Man::new(command()).render(&mut page).map_err(Failure::Output)?;
            print(&page)
        }
    }
}

fn print(text: &[u8]) -> Result<Exit, Failure> {
    let mut output = Output::stdout();
    output.octets(text)?;
    output.flush()?;
    Ok(Exit::Yes)
}
