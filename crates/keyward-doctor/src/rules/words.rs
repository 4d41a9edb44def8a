//! Facts in words.

/// So many characters of a text that a provider or a bundle chose.
const LONGEST: usize = 600;

/// A text in one line that does nothing to a terminal: without control characters and those that turn the direction of
/// writing, and not longer than anybody reads.
pub(super) fn plain(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|letter| if letter.is_control() || turns(letter) { '\u{fffd}' } else { letter })
        .take(LONGEST)
        .collect()
}

/// A length of time to one unit, as a person says it.
pub(super) fn lasting(seconds: f64) -> String {
    let seconds = seconds.abs();
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}
