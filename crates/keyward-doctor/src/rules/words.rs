//! Facts in words.

pub(super) use crate::moment;

/// So many characters of a text that a provider or a bundle chose.
const LONGEST: usize = 600;

/// A text in one line that does nothing to a terminal: without control characters and those that turn the direction of writing,
/// and not longer than anybody reads.
pub(super) fn plain(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |letter: char| if letter.is_control() || turns(letter) { '\u{fffd}' } else { letter };
    text.chars().take(LONGEST).map(shown).collect()
}

/// A length of time, as a person says it.
pub(super) fn lasting(seconds: f64) -> String {
    match seconds.abs() {
        s if s < 10.0 && s.fract() != 0.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// `1 key`, `2 keys`, `2 addresses`.
pub(super) fn several(count: usize, noun: &str) -> String {
    let ending = if noun.ends_with('s') { "es" } else { "s" };
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}{ending}") }
}

/// Names as a list: the first few of them, and how many more there are.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 6;
    let names: Vec<T> = names.into_iter().collect();
    let mut text = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_elsewhere_does_nothing_to_a_terminal_and_ends() {
        assert_eq!(plain("a\u{1b}[31mb\nc\u{202e}d"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d");
        assert_eq!(plain(&"x".repeat(10_000)).len(), LONGEST);
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let said = [0.0, 0.4, 12.3, 119.0, 3_600.0, 28_500.0, -86_400.0, 864_000.0].map(lasting);
        assert_eq!(said, ["0 s", "0.4 s", "12 s", "119 s", "60 min", "8 h", "24 h", "10 days"]);
        assert_eq!(moment(1_795_000_000), "2026-11-18T11:06:40Z");
        assert_eq!(moment(-1), "-1 s since 1970");
    }

    #[test]
    fn a_list_says_how_many_it_leaves_out() {
        assert_eq!(listed(["a", "b"]), "a, b");
        assert_eq!(listed((0..9).map(|n| n.to_string())), "0, 1, 2, 3, 4, 5 and 3 more");
        assert_eq!((several(1, "key"), several(0, "key")), ("1 key".to_owned(), "0 keys".to_owned()));
    }
}
