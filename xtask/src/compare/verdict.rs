//! What a drill came to on one gateway, in a few words.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What `keyward drill run --json` prints.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    /// Each drill that was asked for.
    pub(super) drills: Vec<Verdict>,
}

/// One drill.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Verdict {
    /// Which.
    pub(super) name: String,
    /// What it came to.
    pub(super) result: Outcome,
    /// Why it could not be run, where it could not.
    reason: Option<String>,
    phases: Vec<Phase>,
}

/// What a drill came to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Broken,
    Failed,
    NotApplicable,
    Passed,
}

#[derive(Clone, Debug, Deserialize)]
struct Phase {
    name: String,
    failures: Vec<Unexpected>,
    streams: BTreeMap<String, Stream>,
}

/// Something that was not as it should be.
#[derive(Clone, Debug, Deserialize)]
struct Unexpected {
    about: String,
    text: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Stream {
    judged: u64,
    outcomes: BTreeMap<String, u64>,
}

impl Verdict {
    /// Of a drill that is not run.
    pub(super) fn not_applicable(name: &str, reason: &str) -> Self {
        let (name, reason) = (name.to_owned(), Some(reason.to_owned()));
        Self { name, result: Outcome::NotApplicable, reason, phases: Vec::new() }
    }

    /// `passed`, or what each phase that failed did, a line each.
    pub(super) fn lines(&self) -> Vec<String> {
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        match self.result {
            Outcome::Passed => vec!["passed".to_owned()],
            Outcome::NotApplicable => vec![format!("not applicable: {reason}")],
            Outcome::Broken => vec![format!("could not be run: {reason}")],
            Outcome::Failed => {
                let failed = self.phases.iter().filter(|phase| !phase.failures.is_empty());
                failed.map(|phase| format!("{}: {}", phase.name, phase.words())).collect()
            }
        }
    }
}

impl Phase {
    /// The streams whose verdicts were wrong with all of their verdicts, then whatever else was wrong.
    fn words(&self) -> String {
        let mut words = Vec::new();
        let mut told: Vec<&str> = Vec::new();
        for failure in &self.failures {
            let stream = failure.text.split_once(": ").filter(|_| failure.about == "verdicts");
            let judged = stream.and_then(|(name, _)| {
                let stream = self.streams.get(name).filter(|stream| stream.judged > 0)?;
                Some((name, stream))
            });
            let Some((name, stream)) = judged else {
                words.push(failure.text.clone());
                continue;
            };
            if told.contains(&name) {
                continue;
            }
            told.push(name);
            words.push(format!("{name} {} ({} expected)", stream.shares(), self.expected(name)));
        }
        words.join("; ")
    }

    /// What a stream's verdicts should have been, such as `accept 100 %`.
    fn expected(&self, stream: &str) -> String {
        let of_stream = self.failures.iter().filter(|failure| failure.about == "verdicts");
        let texts = of_stream.filter_map(|failure| failure.text.strip_prefix(stream)?.strip_prefix(": "));
        let labels = texts.map(|text| match (text.split_once(' '), text.split_once("expected ")) {
            (Some((label, _)), Some((_, share))) => format!("{label} {share}"),
            _ => text.to_owned(),
        });
        labels.collect::<Vec<_>>().join(", ")
    }
}

impl Stream {
    /// `reject 98 %, accept 2 %`.
    fn shares(&self) -> String {
        let mut outcomes: Vec<_> = self.outcomes.iter().collect();
        outcomes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let share = |count: u64| match count as f64 * 100.0 / self.judged.max(1) as f64 {
            all if count == self.judged => format!("{all:.0}"),
            percent => format!("{percent:.1}"),
        };
        let shown = outcomes.into_iter().map(|(label, count)| format!("{label} {} %", share(*count)));
        shown.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(json: &str) -> Verdict {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_failed_drill_says_what_each_failed_phase_did() {
        let failed = verdict(
            r#"{"name": "outage", "result": "failed", "phases": [
                {"name": "quiet", "failures": [], "streams": {"users": {"judged": 5, "outcomes": {"accept": 5}}}},
                {"name": "outage", "streams": {"users": {"judged": 200, "outcomes": {"accept": 3, "reject": 197}},
                                                "junk": {"judged": 0, "outcomes": {}}},
                 "failures": [
                    {"about": "verdicts", "text": "users: accept 1.5 % of 200, expected 100 %"},
                    {"about": "verdicts", "text": "users: reject 98.5 % of 200, expected 0 %"},
                    {"about": "verdicts", "text": "junk: no request was judged"},
                    {"about": "fetches", "text": "main was asked for its keys 171 times, expected 16 at most"}]}
            ]}"#,
        );
        assert_eq!(
            failed.lines(),
            ["outage: users reject 98.5 %, accept 1.5 % (accept 100 %, reject 0 % expected); \
              junk: no request was judged; main was asked for its keys 171 times, expected 16 at most"]
        );
    }

    #[test]
    fn the_rest_says_why() {
        let passed = verdict(r#"{"name": "a", "result": "passed", "phases": []}"#);
        assert_eq!(passed.lines(), ["passed"]);
        let left_out = verdict(r#"{"name": "a", "result": "not_applicable", "reason": "so", "phases": []}"#);
        assert_eq!(left_out.lines(), ["not applicable: so"]);
    }
}
