//! What somebody wrote on a page: whether all is there that whoever is woken looks for.

use std::path::Path;

/// What a page of a finding or an alert tells, in this order.
const PARTS: [&str; 4] = ["Who is affected", "Causes, the likeliest first", "It is over when", "Do not"];

/// What is wrong with a page: a part that is missing, or a finding that there is none of any more.
pub(super) fn fault(path: &Path, text: &str) -> Option<String> {
    if let Some(code) = mentioned(text).find(|code| !path.with_file_name(format!("{code}.md")).exists()) {
        return Some(format!("there is no finding {code}"));
    }
    let is_index = path.file_stem().is_some_and(|name| name == "README");
    let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    (!is_index && parts != PARTS).then(|| format!("its parts are {parts:?}, and should be {PARTS:?}"))
}

/// Whatever looks like the code of a finding.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_code = |word: &&str| {
        word.len() == 6
            && word
                .strip_prefix("KW")
                .is_some_and(|digits| digits.bytes().all(|octet| octet.is_ascii_digit()))
    };
    words.filter(is_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lacks_a_part_or_speaks_of_a_finding_that_there_is_none_of() {
        let path = Path::new("KW1.md");
        let whole: String = PARTS.iter().map(|part| format!("## {part}\n\nText.\n")).collect();
        assert_eq!(fault(path, &whole), None);
        assert!(
            fault(path, &whole.replace("## Do not", "Do not")).is_some_and(|fault| fault.contains("Do not"))
        );
        assert_eq!(fault(&path.with_file_name("README.md"), ""), None);
        assert!(fault(path, "As [KW0000](KW0000.md).").is_some_and(|fault| fault.contains("KW0000")));
    }
}
