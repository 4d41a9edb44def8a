//! Links between the pages: each leads to a file that is there, and to a heading that it has.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Failure, command};

/// Where pages are, beside those of the root folder.
const FOLDERS: [&str; 2] = ["docs", "crates"];

/// Says which links lead nowhere; whether there is none.
pub(crate) fn check() -> Result<bool, Failure> {
    let workspace = command::workspace();
    let mut pages: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&workspace)? {
        let path = entry?.path();
        pages.extend(is_page(&path).then_some(path));
    }
    for folder in FOLDERS {
        collect(&workspace.join(folder), &mut pages)?;
    }
    let mut lead_somewhere = true;
    for page in pages {
        let text = fs::read_to_string(&page)?;
        for link in links(&text).into_iter().filter(|link| !leads(&page, &text, link)) {
            writeln!(io::stderr(), "{}: nothing is at {link}", page.display())?;
            lead_somewhere = false;
        }
    }
    Ok(lead_somewhere)
}

fn collect(folder: &Path, pages: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, pages)?;
        } else if is_page(&path) {
            pages.push(path);
        }
    }
    Ok(())
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// Where `[…](…)` lead, but in code.
fn links(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let prose = prose.split('`').step_by(2).collect::<Vec<_>>().join("code");
    prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

fn leads(page: &Path, text: &str, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let path = page.parent().unwrap_or(Path::new(".")).join(file);
    if !file.is_empty() && !path.exists() {
        return false;
    }
    match heading {
        None => true,
        Some(heading) if file.is_empty() => has_heading(text, heading),
        Some(heading) if is_page(&path) => {
            fs::read_to_string(path).is_ok_and(|text| has_heading(&text, heading))
        }
        // A line of a source.
        Some(_) => true,
    }
}

fn has_heading(text: &str, anchor: &str) -> bool {
    let prose: String = text.split("```").step_by(2).collect();
    prose
        .lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| anchor_of(line.trim_start_matches('#')) == anchor)
}

/// As forges make anchors of headings: in lower case, without what is no letter, with hyphens for blanks.
fn anchor_of(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_and_a_heading_or_nowhere() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("page.md");
        let text = "# `JWT`: who, what?\n[a](Cargo.toml) [b](#jwt-who-what) [c](https://a.example) `[d](x)`\n\
                    ```\n[e](y)\n```\n[f](z.md) [g](#what)";
        let nowhere: Vec<String> = links(text).into_iter().filter(|link| !leads(&page, text, link)).collect();
        assert_eq!(nowhere, ["z.md", "#what"]);
    }
}
