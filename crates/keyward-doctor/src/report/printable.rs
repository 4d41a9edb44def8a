//! A stranger's text where a person reads it.

use std::fmt::{self, Display, Write as _};

/// A stranger's text for a terminal: what could move the cursor, change colours or turn the direction of
/// writing is shown as an escape.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

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
