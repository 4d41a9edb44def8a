//! What every form of the report says alike.

use std::time::Duration;

use crate::diagnosis::{Certainty, Finding, Healthy, Who};
use crate::facts::Facts;
use crate::moment;

impl Certainty {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

impl Who {
    /// Who that is.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Client => "the clients",
            Self::Provider => "the provider",
            Self::Us => "us",
        }
    }
}

/// The issuer and the cause.
pub(super) fn headline(finding: &Finding) -> String {
    match &finding.issuer {
        Some(issuer) => format!("{issuer}: {}", finding.cause),
        None => finding.cause.clone(),
    }
}

/// The issuer and what is healthy.
pub(super) fn in_words(healthy: &Healthy) -> String {
    match &healthy.issuer {
        Some(issuer) => format!("{issuer}: {}", healthy.what),
        None => healthy.what.clone(),
    }
}

/// What follows from a finding, and from that, in their order.
pub(super) fn consequences(finding: &Finding) -> Vec<&Finding> {
    let mut all = Vec::new();
    let mut next: Vec<&Finding> = finding.consequences.iter().rev().collect();
    while let Some(finding) = next.pop() {
        all.push(finding);
        next.extend(finding.consequences.iter().rev());
    }
    all
}

/// What was looked at, when, and how long that took.
pub(super) fn looked_at(facts: &Facts) -> String {
    let mut matters: Vec<String> =
        facts.issuers.iter().map(|issuer| issuer.configured.name.clone()).collect();
    if let Some(gateway) = &facts.gateway {
        matters.push(format!("the gateway at {}", origin(&gateway.reach.url)));
    }
    matters
        .extend(facts.authority.iter().map(|node| format!("the authority at {}", origin(&node.reach.url))));
    if facts.token.is_some() {
        matters.push("a token".to_owned());
    }
    if facts.provider_log.is_some() {
        matters.push("a log of the provider".to_owned());
    }
    let matters = if matters.is_empty() { "nothing".to_owned() } else { matters.join(", ") };
    let took = Duration::from_millis(facts.took_ms).as_secs_f64();
    format!("Looked at {matters} on {}, in {took:.1} s.", moment(facts.gathered_at))
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.get(host..).and_then(|rest| rest.find('/')).map_or(url.len(), |slash| host + slash);
    url.get(..end).unwrap_or(url)
}
