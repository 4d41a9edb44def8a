//! The samples of a page of metrics, as our own nodes write them (OpenMetrics 1.0 §3): what else there may be on a page is passed
//! over.

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// What stands between the braces, to the letter.
    pub(super) labels: &'a str,
    pub(super) value: f64,
}

/// Every sample of a page.
pub(super) fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(Sample::of)
}

impl<'a> Sample<'a> {
    /// A value may have a time behind it.
    fn of(line: &'a str) -> Option<Self> {
        let (name, labels, rest) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, rest) = rest.rsplit_once('}')?;
                (name, labels, rest)
            }
            None => {
                let (name, rest) = line.split_once(' ')?;
                (name, "", rest)
            }
        };
        let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Self { name, labels, value })
    }

    /// A count; what is none is 0.
    pub(super) fn count(&self) -> u64 {
        // A cast of a float ends at the bounds.
        self.value as u64
    }

    /// The value of a label; empty where it has none.
    pub(super) fn label(&self, name: &str) -> String {
        let mut rest = self.labels;
        while let Some((label, after)) = rest.split_once("=\"") {
            let (value, after) = quoted(after);
            if label.trim_start_matches(',') == name {
                return value;
            }
            rest = after;
        }
        String::new()
    }
}

/// What stands before the closing quote, without its escapes, and what comes behind.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return (value, text.get(place + 1..).unwrap_or_default()),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, other)) => value.push(other),
                None => {}
            },
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_read_with_its_labels_and_what_is_none_is_passed_over() {
        let page =
            "# HELP x y\nx 4\ny{a=\"b\",c=\"d}\\\"e\\\\\\n,f=\\\"g\"} 1.5 1795000000\nz{\nnothing\nw{} NaN\n";
        let found: Vec<_> = samples(page).collect();
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!((found[0].name, found[0].count()), ("x", 4));
        assert_eq!(
            (found[1].label("a"), found[1].label("c")),
            ("b".to_owned(), "d}\"e\\\n,f=\"g".to_owned())
        );
        assert_eq!((found[1].value, found[1].label("f")), (1.5, String::new()));
        assert_eq!(found[2].count(), 0);
    }
}
