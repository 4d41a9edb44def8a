//! For a program.

use serde::ser::{Serialize, Serializer};

use super::Report;
use crate::code::Code;
use crate::diagnosis::{Certainty, Finding, Healthy, Step, Who};

#[derive(serde::Serialize)]
struct Page<'a> {
    /// The form of the facts.
    version: u32,
    /// When they were gathered, in seconds since 1970.
    gathered_at: i64,
    took_ms: u64,
    findings: Vec<FindingPage<'a>>,
    healthy: &'a [Healthy],
    unseen: &'a [String],
}

#[derive(serde::Serialize)]
struct FindingPage<'a> {
    code: Code,
    title: &'static str,
    who: Who,
    page: String,
    issuer: Option<&'a str>,
    cause: &'a str,
    certainty: Certainty,
    evidence: &'a [String],
    fix: &'a [Step],
    consequences: Vec<Self>,
}

impl<'a> FindingPage<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            code: finding.code,
            title: finding.code.title(),
            who: finding.code.who(),
            page: finding.code.page(),
            issuer: finding.issuer.as_deref(),
            cause: &finding.cause,
            certainty: finding.certainty,
            evidence: &finding.evidence,
            fix: &finding.fix,
            consequences: finding.consequences.iter().map(Self::of).collect(),
        }
    }
}

impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (facts, diagnosis) = (self.facts, self.diagnosis);
        Page {
            version: facts.version,
            gathered_at: facts.gathered_at,
            took_ms: facts.took_ms,
            findings: diagnosis.findings.iter().map(FindingPage::of).collect(),
            healthy: &diagnosis.healthy,
            unseen: &diagnosis.unseen,
        }
        .serialize(serializer)
    }
}
