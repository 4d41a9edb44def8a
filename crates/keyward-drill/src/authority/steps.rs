//! What was seen in each phase, held against what is right.

use std::collections::BTreeMap;

use super::AuthorityDrill;
use crate::progress::Progress;
use crate::report::{About, Failure, PhaseReport};

/// The most failures that a phase tells of: the same thing may be wrong a thousand times.
const FAILURES: usize = 10;

/// The phases so far.
pub(super) struct Steps<'a> {
    drill: &'a AuthorityDrill,
    progress: &'a dyn Progress,
    phases: Vec<PhaseReport>,
}

impl<'a> Steps<'a> {
    pub(super) fn new(drill: &'a AuthorityDrill, progress: &'a dyn Progress) -> Self {
        Self { drill, progress, phases: Vec::new() }
    }

    /// The next phase begins.
    pub(super) fn next(&mut self) {
        let place = self.phases.len();
        let name = self.drill.phases.get(place).copied().unwrap_or_default();
        self.progress.phase(self.drill.name, name, place + 1, self.drill.phases.len());
        self.phases.push(PhaseReport {
            name: name.to_owned(),
            failures: Vec::new(),
            streams: BTreeMap::new(),
            fetches: BTreeMap::new(),
            memory_mib: None,
            doctor: None,
            expectations: Some(0),
        });
    }

    /// It has to be so; otherwise `text` says what was seen.
    pub(super) fn expect(&mut self, is_so: bool, text: impl FnOnce() -> String) {
        let Some(phase) = self.phases.last_mut() else {
            return;
        };
        phase.expectations = phase.expectations.map(|count| count + 1);
        if !is_so && phase.failures.len() < FAILURES {
            phase.failures.push(Failure { about: About::Authority, text: text() });
        }
    }

    /// All that were found elsewhere meanwhile.
    pub(super) fn fail(&mut self, found: Vec<String>) {
        for text in found {
            self.expect(false, || text);
        }
    }

    /// A phase that never began was not seen.
    pub(super) fn phases(self) -> Vec<PhaseReport> {
        self.phases
    }
}

#[cfg(test)]
mod tests {
    use super::super::a1;
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn what_is_not_so_is_told_in_its_phase() {
        let mut steps = Steps::new(&a1::DRILL, &Silent);
        steps.next();
        steps.expect(true, || "so".to_owned());
        steps.next();
        for round in 0..20 {
            steps.expect(false, || format!("round {round}"));
        }
        let [first, second] = <[PhaseReport; 2]>::try_from(steps.phases()).unwrap();
        assert_eq!((first.failures.len(), first.expectations), (0, Some(1)));
        assert_eq!((second.failures.len(), second.expectations), (FAILURES, Some(20)));
        assert_eq!((second.name.as_str(), second.failures[0].text.as_str()), ("key-of-a-client", "round 0"));
    }
}
