//! The rules as they are deployed, with shorter times: minutes become seconds.

/// So much shorter is every time.
pub(super) const SHORTER: u64 = 60;

/// The same rules with every `for` and every range divided by [`SHORTER`], and nothing else changed.
pub(super) fn scaled(rules: &str) -> String {
    let mut text = String::with_capacity(rules.len());
    for line in rules.split_inclusive('\n') {
        match line.split_once("for: ") {
            Some((before, time)) if before.trim().is_empty() => {
                text.push_str(before);
                text.push_str("for: ");
                text.push_str(&shorter(time.trim_end()).unwrap_or_else(|| time.trim_end().to_owned()));
                text.push_str(&time[time.trim_end().len()..]);
            }
            _ => text.push_str(&ranges(line)),
        }
    }
    text
}

/// A line with its `[5m]` divided.
fn ranges(line: &str) -> String {
    let mut parts = line.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('[');
        match part.split_once(']').and_then(|(time, rest)| Some((shorter(time)?, rest))) {
            Some((time, rest)) => {
                text.push_str(&time);
                text.push(']');
                text.push_str(rest);
            }
            None => text.push_str(part),
        }
    }
    text
}

/// `5m` as `5s`; none where it is no such time.
fn shorter(time: &str) -> Option<String> {
    let (number, unit) = time.split_at_checked(time.len().checked_sub(1)?)?;
    let milliseconds = match unit {
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(format!("{}ms", number.parse::<u64>().ok()? * milliseconds / SHORTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_for_and_every_range_is_divided_and_nothing_else_changes() {
        let rules = "      - alert: A\n        expr: |\n          sum(rate(a[5m])) > 14 * 86400 and x{y=\"[z]\"} > 0\n        \
                     for: 10m\n        annotations:\n          summary: for 5 minutes, for: 5m in words\n";
        let expected = rules.replace("[5m]", "[5000ms]").replace("for: 10m", "for: 10000ms");
        assert_eq!(scaled(rules), expected);
    }

    #[test]
    fn the_rules_that_are_deployed_have_no_time_that_is_missed() {
        let rules =
            std::fs::read_to_string(crate::command::workspace().join("deploy/prometheus/alerts.yaml"))
                .unwrap();
        let text = scaled(&rules);
        let count = |text: &str, what: &str| text.matches(what).count();
        assert_eq!(count(&rules, "for: "), count(&text, "000ms\n"));
        assert_eq!(
            count(&rules, "[5m]") + count(&rules, "[2m]"),
            count(&text, "[5000ms]") + count(&text, "[2000ms]")
        );
        assert!(!text.contains("m]\n") && count(&text, "[") == count(&rules, "["));
    }
}
