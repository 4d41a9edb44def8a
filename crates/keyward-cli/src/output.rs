//! The one writer: results to stdout, everything else to stderr.

use std::fmt::{self, Display, Write as _};
use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::exit::Failure;

/// Results on their way to stdout.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    /// Takes stdout until it is dropped.
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout().lock()))
    }

    /// One line for a person.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(Failure::Output)
    }

    /// One JSON object on one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.value(value)?;
        self.octets(b"\n")
    }

    /// A JSON value, without an end of line.
    pub(crate) fn value(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| Failure::Output(error.into()))
    }

    /// These octets as they are.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.0.write_all(octets).map_err(Failure::Output)
    }

    /// Hands over what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::Output)
    }
}

/// One line to stderr. Where that cannot be written, nobody is left to be told.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "keyward: {line}");
}

/// A stranger's text for a terminal: what could move the cursor, change colours or turn the direction of
/// writing is shown as an escape.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c)),
            // Marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9 §2).
            '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(f, "\\u{:04x}", u32::from(c))
            }
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        let text = "a\u{1b}[31mb\r\u{9b}c\u{202e}d\u{7f}é";
        assert_eq!(Printable(text).to_string(), "a\\u001b[31mb\\u000d\\u009bc\\u202ed\\u007fé");
    }
}
