//! What a case came to.

use super::error::Error;

/// What was seen, and whether that is what had to be seen.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For a person: `200`, or what came instead.
    pub(crate) measured: String,
    /// Whether it is what the case demands.
    pub(crate) passed: bool,
}

/// A case's questions and answers; each distinct answer is shown once.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    seen: Vec<String>,
    wrong: Vec<String>,
}

impl Answers {
    /// Takes in an answer to `question` that should have been `wanted`.
    pub(crate) fn compare(&mut self, question: &str, got: String, wanted: &str) {
        if got != wanted {
            self.wrong.push(format!("{question}: {got}"));
        } else if !self.seen.contains(&got) {
            self.seen.push(got);
        }
    }

    /// Passed where no answer was wrong; shows the wrong ones, or else what was seen.
    pub(crate) fn outcome(self) -> Result<Outcome, Error> {
        let passed = self.wrong.is_empty() && !self.seen.is_empty();
        let shown = if self.wrong.is_empty() { self.seen } else { self.wrong };
        Ok(Outcome { measured: shown.join("; "), passed })
    }
}
