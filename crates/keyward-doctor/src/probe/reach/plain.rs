//! A stranger's words, as a fact has them.

/// The most characters of one text.
const LONGEST: usize = 200;

/// `text` without control characters, cut.
pub(in crate::probe) fn plain(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}
