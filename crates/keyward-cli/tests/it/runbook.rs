//! The runbook's pages name commands that there are, with arguments that they take.

use std::fs;
use std::path::Path;

use clap::error::ErrorKind;

#[test]
fn every_command_of_the_runbook_can_be_typed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/how-to/runbook");
    let mut typed = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        // Between two marks of a block, and between two backticks of a line.
        for (place, part) in text.split("```").enumerate() {
            let is_block = place % 2 == 1;
            let lines: Vec<String> = if is_block {
                part.lines().map(str::to_owned).collect()
            } else {
                let line = part.split_whitespace().collect::<Vec<_>>().join(" ");
                line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            };
            for words in lines.iter().flat_map(|line| commands(line)) {
                typed += 1;
                let parsed = keyward_cli::command().try_get_matches_from(&words);
                // In a sentence a command may be named without its arguments.
                let is_fine = parsed.as_ref().err().is_none_or(|error| {
                    !is_block
                        && matches!(
                            error.kind(),
                            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                                | ErrorKind::MissingRequiredArgument
                        )
                        || error.kind() == ErrorKind::DisplayVersion
                });
                assert!(is_fine, "{}: {words:?}: {}", path.display(), parsed.unwrap_err());
            }
        }
    }
    assert!(typed > 200, "{typed}");
}

/// The words of each command of ours in a line of a shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let parts = line.split(['|', ';', '&']).map(str::trim).filter(|part| part.starts_with("keyward "));
    let is_argument = |word: &&str| !matches!(*word, "<" | ">" | "2>" | "#");
    let words = parts.map(|part| part.split(' ').take_while(is_argument));
    // What somebody has to fill in.
    words.map(|words| words.map(|word| word.replace("ISSUER", "https://idp.example")).collect()).collect()
}
