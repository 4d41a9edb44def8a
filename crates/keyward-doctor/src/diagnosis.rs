//! What the rules make of facts: findings, the root first and its consequences under it, and what was found healthy.

use serde::Serialize;

use crate::code::Code;

/// What is wrong, and what is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// What was found, the worst first. What follows from another finding is under that one.
    pub findings: Vec<Finding>,
    /// What was looked at and is as it should be.
    pub healthy: Vec<Healthy>,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Which.
    pub code: Code,
    /// Our name for the issuer that it concerns; none where it concerns none alone.
    pub issuer: Option<String>,
    /// The cause in one line, with this case's names and numbers.
    pub cause: String,
    /// What it rests on, one fact a line.
    pub evidence: Vec<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// What to do, in this order.
    pub fix: Vec<Step>,
    /// What follows from it.
    pub consequences: Vec<Finding>,
}

/// One step of a fix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// What to do, in one line.
    pub what: String,
    /// The command that does it, to paste; none where it is no command.
    pub command: Option<String>,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The facts allow no other cause.
    Certain,
    /// The facts fit it best.
    Likely,
    /// The facts allow it, and others as well.
    Possible,
}

/// Who can mend something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Whoever sends the tokens.
    Client,
    /// Whoever runs the issuer.
    Provider,
    /// Whoever runs the gateway, or the network between.
    Us,
}

/// Something that is as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Healthy {
    /// Our name for the issuer that it concerns; none where it concerns none alone.
    pub issuer: Option<String>,
    /// What was looked at, and what was seen, in one line.
    pub what: String,
}
