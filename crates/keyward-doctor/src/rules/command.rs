//! A command to paste into a shell. Its words are always quoted, so that what a provider or a bundle says stays one word.

use std::fmt;

/// Commands, each reading what the one before wrote.
///
/// A word from elsewhere stands where an option takes it as its value (`--url X`, `-q X`): quoting does not keep a word
/// that begins with `-` from being an option.
#[derive(Debug)]
pub(super) struct Command {
    stages: Vec<Vec<String>>,
    /// The file that the first of them reads; none where it reads nothing, or what a person types.
    reads: Option<&'static str>,
}

impl Command {
    /// One command.
    pub(super) fn new<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Self {
        Self { stages: vec![words.into_iter().map(Into::into).collect()], reads: None }
    }

    /// Another one that reads what this one writes.
    pub(super) fn piped<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.stages.push(words.into_iter().map(Into::into).collect());
        self
    }

    /// It is given nothing to read, where it would wait for a person to type.
    pub(super) fn reading_nothing(self) -> Self {
        self.reading("/dev/null")
    }

    /// It reads this file.
    pub(super) fn reading(self, file: &'static str) -> Self {
        Self { reads: Some(file), ..self }
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Command {
    fn from(words: [T; N]) -> Self {
        Self::new(words)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stage, words) in self.stages.iter().enumerate() {
            if stage > 0 {
                f.write_str(" | ")?;
            }
            let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            f.write_str(&quoted.join(" "))?;
            if let Some(file) = self.reads.filter(|_| stage == 0) {
                write!(f, " <{file}")?;
            }
        }
        Ok(())
    }
}

/// A word as a POSIX shell reads it back. Control characters are left out: a terminal takes them before any shell does.
fn quoted(word: &str) -> String {
    let plain: String = word.chars().filter(|letter| !letter.is_control()).collect();
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    if !plain.is_empty() && plain.chars().all(harmless) {
        return plain;
    }
    format!("'{}'", plain.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_whatever_is_in_it() {
        let command =
            Command::new(["curl", "-sS", "--url", "https://idp.example/a b;rm -rf /'$(id)`\n\u{1b}"]);
        assert_eq!(command.to_string(), r#"curl -sS --url 'https://idp.example/a b;rm -rf /'\''$(id)`'"#);
        assert_eq!(Command::from([""]).to_string(), "''");
        assert_eq!(Command::from(["~root", "a=b", "*"]).to_string(), "'~root' a=b '*'");
    }

    #[test]
    fn a_command_can_be_read_by_another_and_be_given_nothing_to_read() {
        let command =
            Command::new(["openssl", "s_client"]).reading_nothing().piped(["openssl", "x509", "-noout"]);
        assert_eq!(command.to_string(), "openssl s_client </dev/null | openssl x509 -noout");
    }
}
