//! What `keyward doctor` has to name at the end of a phase, and what it named.

use std::fmt;

use keyward_doctor::code::Code;
use keyward_doctor::diagnosis::{Certainty, Finding};
use keyward_doctor::facts::Facts;
use keyward_doctor::rules::diagnose;
use serde::{Deserialize, Deserializer, Serialize};

/// What may be the first finding: any of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedFinding(Vec<Option<Code>>);

/// What stands for no finding, where that is one of several that are right.
const NOTHING: &str = "nothing";

/// What the doctor saw in a phase.
#[derive(Clone, Debug, Serialize)]
pub struct Looked {
    /// What was right to find first; nothing where that was no finding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// What was found, the first one first, without what follows from each.
    pub found: Vec<Found>,
    /// Whether the first of them was right, or that there was none.
    pub right: bool,
    /// How long the look took, in seconds.
    pub took_seconds: f64,
    /// What was seen, where that was not right: a bundle, as `keyward doctor --facts` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Box<Facts>>,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Its code.
    #[serde(serialize_with = "shown")]
    pub code: Code,
    /// The issuer that it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its cause, in one line.
    pub cause: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// The codes of what follows from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<String>,
}

fn shown<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

impl Default for ExpectedFinding {
    /// None.
    fn default() -> Self {
        Self(vec![None])
    }
}

impl ExpectedFinding {
    /// The codes that may come first.
    pub fn codes(&self) -> impl Iterator<Item = Code> {
        self.0.iter().copied().flatten()
    }

    /// Whether this may come first, or none.
    fn allows(&self, found: Option<Code>) -> bool {
        self.0.contains(&found)
    }

    /// What follows from what was seen, held against this.
    pub(crate) fn judge(&self, facts: Facts, took_seconds: f64) -> Looked {
        let diagnosis = diagnose(&facts);
        let first = diagnosis.findings.first().map(|finding| finding.code);
        let is_nothing = self.0 == [None];
        Looked {
            expected: if is_nothing { Vec::new() } else { self.0.iter().map(named).collect() },
            found: diagnosis.findings.iter().map(Found::of).collect(),
            right: self.allows(first),
            took_seconds,
            facts: (!self.allows(first)).then(|| Box::new(facts)),
        }
    }
}

fn named(code: &Option<Code>) -> String {
    code.map_or_else(|| NOTHING.to_owned(), |code| code.to_string())
}

impl Found {
    fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code,
            issuer: finding.issuer.clone(),
            cause: finding.cause.clone(),
            certainty: finding.certainty,
            consequences: finding.consequences.iter().map(|finding| finding.code.to_string()).collect(),
        }
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found.first() {
            Some(Found { code, cause, .. }) => write!(f, "the doctor names {code} first ({cause})")?,
            None => f.write_str("the doctor finds nothing")?,
        }
        match self.expected.as_slice() {
            [] => f.write_str(", expected nothing"),
            expected => write!(f, ", expected {}", expected.join(" or ")),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Several(Vec<String>),
}

impl<'de> Deserialize<'de> for ExpectedFinding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = match Written::deserialize(deserializer)? {
            Written::One(name) => vec![name],
            Written::Several(names) => names,
        };
        let read = |name: &String| {
            if name == NOTHING {
                return Ok(None);
            }
            let code = name.parse().map_err(|error| {
                serde::de::Error::custom(format!("{error}; {NOTHING:?} stands for no finding"))
            });
            code.map(Some)
        };
        match names.as_slice() {
            [] => Err(serde::de::Error::custom(format!(
                "name the findings of which one has to be the first; {NOTHING:?} stands for no finding"
            ))),
            names => Ok(Self(names.iter().map(read).collect::<Result<_, D::Error>>()?)),
        }
    }
}
