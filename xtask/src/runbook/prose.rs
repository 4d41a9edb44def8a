//! What somebody wrote on a page: whether all is there that whoever is woken looks for.

use std::path::Path;

/// What a page of a finding or an alert tells, in this order.
const PARTS: [&str; 4] = ["Who is affected", "Causes, the likeliest first", "It is over when", "Do not"];

/// What is wrong with a page.
pub(super) fn fault(path: &Path, text: &str) -> Option<String> {
    let is_index = path.file_stem().is_some_and(|name| name == "README");
    let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    (!is_index && parts != PARTS).then(|| format!("its parts are {parts:?}, and should be {PARTS:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lacks_a_part() {
        let path = Path::new("KW1.md");
        let whole: String = PARTS.iter().map(|part| format!("## {part}\n\nText.\n")).collect();
        assert_eq!(fault(path, &whole), None);
        assert!(
            fault(path, &whole.replace("## Do not", "Do not")).is_some_and(|fault| fault.contains("Do not"))
        );
        assert_eq!(fault(&path.with_file_name("README.md"), ""), None);
    }
}
