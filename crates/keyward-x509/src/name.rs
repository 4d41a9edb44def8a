//! Names as text that may be shown.

use std::fmt::Write;

use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// The most characters of a name that are kept. Whoever makes a certificate chooses its length.
const LIMIT: usize = 256;

/// The name, DER, in the order of its octets, such as `C=DE, O=Example, CN=Root`; empty where it has no part.
///
/// What could move a cursor or turn the direction of writing is an escape, and what is too long is cut.
pub(crate) fn text(der: &[u8]) -> Box<str> {
    match X509Name::from_der(der) {
        Ok((_, name)) if name.iter_rdn().next().is_some() => printable(&name.to_string()),
        _ => "".into(),
    }
}

fn printable(text: &str) -> Box<str> {
    let mut printable = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == LIMIT {
            printable.push('…');
            break;
        }
        match c {
            // Controls; marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9 §2).
            '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{061c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                let _ = write!(printable, "\\u{:04x}", u32::from(c));
            }
            c => printable.push(c),
        }
    }
    printable.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_no_cursor_and_ends() {
        assert_eq!(&*printable("CN=a\u{1b}[2J\u{202e}b"), "CN=a\\u001b[2J\\u202eb");
        let long = printable(&"x".repeat(1000));
        assert_eq!((long.chars().count(), long.chars().last()), (LIMIT + 1, Some('…')));
    }
}
