//! What somebody wrote on a page: whether all is there that whoever is woken looks for, and whether its links lead somewhere.

use std::path::Path;

/// What a page of a finding or an alert tells, in this order.
const PARTS: [&str; 4] = ["Who is affected", "Causes, the likeliest first", "It is over when", "Do not"];

/// What is wrong with a page.
pub(super) fn faults(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let is_index = path.file_stem().is_some_and(|name| name == "README");
    let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    if !is_index && parts != PARTS {
        faults.push(format!("its parts are {parts:?}, and should be {PARTS:?}"));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let leads_nowhere = |link: &&str| !link.contains("://") && !folder.join(file(link)).exists();
    faults.extend(links(text).filter(leads_nowhere).map(|link| format!("nothing is at {link}")));
    faults
}

/// Where `[…](…)` lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// A link without the place on its page.
fn file(link: &str) -> &str {
    link.split_once('#').map_or(link, |(file, _)| file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lacks_a_part_and_a_link_leads_nowhere() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/KW1.md");
        let whole: String = PARTS.iter().map(|part| format!("## {part}\n[here](main.rs#x)\n")).collect();
        assert_eq!(faults(&path, &whole), Vec::<String>::new());
        let torn = whole.replace("## Do not\n[here](main.rs#x)", "[here](nowhere.rs)");
        let told = faults(&path, &torn);
        assert!(
            matches!(told.as_slice(), [parts, link] if parts.contains("parts") && link.contains("nowhere.rs")),
            "{told:?}"
        );
        assert_eq!(faults(&path.with_file_name("README.md"), "[x](https://a.example)"), Vec::<String>::new());
    }
}
