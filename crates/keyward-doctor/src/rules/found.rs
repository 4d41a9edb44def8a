//! What the rules have found so far, and how a finding is put together.

use crate::code::Code;
use crate::diagnosis::{Certainty, Finding, Healthy, Step};

use super::command::Command;
use super::words::plain;

/// So many lines of evidence stand in a finding. More help nobody, and a bundle may hold any number of keys.
const EVIDENCE: usize = 24;

/// What the rules have found so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) healthy: Vec<Healthy>,
    pub(super) unseen: Vec<String>,
}

impl Found {
    /// Something is wrong.
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Something was looked at and is as it should be. `issuer` is our name for the one that it concerns.
    pub(super) fn healthy<'a>(&mut self, issuer: impl Into<Option<&'a str>>, what: impl AsRef<str>) {
        self.healthy.push(Healthy { issuer: issuer.into().map(plain), what: plain(what.as_ref()) });
    }

    /// Something could not be looked at. It is neither found nor healthy.
    pub(super) fn unseen(&mut self, what: impl AsRef<str>) {
        self.unseen.push(plain(what.as_ref()));
    }
}

impl Finding {
    /// A finding that concerns no issuer alone, likely until it is said otherwise.
    pub(super) fn new(code: Code, cause: impl AsRef<str>) -> Self {
        Self {
            code,
            issuer: None,
            cause: plain(cause.as_ref()),
            evidence: Vec::new(),
            certainty: Certainty::Likely,
            fix: Vec::new(),
            consequences: Vec::new(),
        }
    }

    /// It concerns the issuer that we call so.
    pub(super) fn of(mut self, issuer: &str) -> Self {
        self.issuer = Some(plain(issuer));
        self
    }

    /// A fact that it rests on.
    pub(super) fn seen(mut self, fact: impl AsRef<str>) -> Self {
        if self.evidence.len() < EVIDENCE {
            self.evidence.push(plain(fact.as_ref()));
        }
        self
    }

    /// Facts that it rests on.
    pub(super) fn seen_all<T: AsRef<str>>(self, facts: impl IntoIterator<Item = T>) -> Self {
        facts.into_iter().fold(self, Self::seen)
    }

    /// The facts allow no other cause.
    pub(super) fn certain(self) -> Self {
        Self { certainty: Certainty::Certain, ..self }
    }

    /// The facts fit it best.
    pub(super) fn likely(self) -> Self {
        Self { certainty: Certainty::Likely, ..self }
    }

    /// The facts allow it, and others as well.
    pub(super) fn possible(self) -> Self {
        Self { certainty: Certainty::Possible, ..self }
    }

    /// Something to do that is no command.
    pub(super) fn step(mut self, what: impl AsRef<str>) -> Self {
        self.fix.push(Step { what: plain(what.as_ref()), command: None });
        self
    }

    /// Something to do, and the command that does it.
    pub(super) fn run(mut self, what: impl AsRef<str>, command: impl Into<Command>) -> Self {
        self.fix.push(Step { what: plain(what.as_ref()), command: Some(command.into().to_string()) });
        self
    }
}
