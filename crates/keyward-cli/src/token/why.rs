//! Why a check says what it says: what stands in the token, and what is accepted.

use keyward::{ClaimTest, Claims, Reason, Requirement, UnixTime};
use keyward_jose::{DecodeBuffer, Jws};
use keyward_verify::{Check, Issuer, Outcome};
use serde_json::Value;

use super::signer::Signer;
use crate::output::Printable;
use crate::time::{format_rfc3339, relative};

/// A longer list or text helps nobody.
const LONGEST: usize = 200;

/// What one check was made with.
pub(crate) struct Why<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) requirement: &'a Requirement,
    pub(crate) token: &'a [u8],
    pub(crate) now: UnixTime,
    pub(crate) signer: Option<&'a Signer>,
}

impl Why<'_> {
    /// In one line; none where the outcome says it all.
    pub(crate) fn of(&self, check: Check, outcome: Outcome) -> Option<String> {
        let mut buffer = DecodeBuffer::new();
        let jws = Jws::parse(self.token, self.issuer.policy.token_size_limit, &mut buffer).ok()?;
        let claims = Claims::parse(jws.dangerous_unverified_payload()).ok();
        match (check, outcome) {
            (_, Outcome::NotAsked) | (Check::Form | Check::Claims | Check::Wrapper, _) => None,
            (Check::Issuer, Outcome::No(reason)) => Some(self.issuer(claims?, reason)),
            (Check::Header, Outcome::No(reason)) => Some(self.header(&jws, reason)),
            (Check::Times, outcome) => self.times(&claims?, outcome),
            (Check::Audience, outcome) => self.audience(&claims?, outcome),
            (Check::Signature, _) => Some(format!("key: {}", self.signer?.words())),
            (Check::Granted, Outcome::No(_)) => self.granted(&claims?),
            (Check::Issuer | Check::Header | Check::Granted, Outcome::Yes) => None,
        }
    }

    fn issuer(&self, claims: Claims, reason: Reason) -> String {
        match (claims.issuer(), reason) {
            (None, _) => "there is no iss".to_owned(),
            (Some(issuer), Reason::WrongIssuer) => {
                format!("iss is {}, whose tokens the route does not take", quoted(issuer))
            }
            (Some(issuer), _) => {
                format!("iss is {}; accepted is {}", quoted(issuer), quoted(&self.issuer.policy.issuer))
            }
        }
    }

    fn header(&self, jws: &Jws<'_>, reason: Reason) -> String {
        let policy = &self.issuer.policy;
        if reason == Reason::WrongTokenType {
            let typ = jws.header().typ().map_or("absent".to_owned(), quoted);
            return format!(
                "typ is {typ}; accepted are {}",
                list(policy.token_types.iter().map(|typ| &**typ))
            );
        }
        let algorithm = jws.header().algorithm().name();
        format!("alg is {algorithm}; accepted are {}", list(policy.algorithms.iter().map(|one| one.name())))
    }

    fn times(&self, claims: &Claims, outcome: Outcome) -> Option<String> {
        let leeway = humantime::format_duration(self.issuer.policy.leeway);
        let told = |name: &str, time: Option<UnixTime>| {
            time.map(|time| format!("{name} is {}, {}", format_rfc3339(time), relative(time, self.now)))
        };
        match outcome {
            Outcome::Yes => told("exp", claims.expires_at()),
            Outcome::No(Reason::Expired) => {
                told("exp", claims.expires_at()).map(|told| format!("{told}; the leeway is {leeway}"))
            }
            Outcome::No(Reason::NotYetValid) => {
                told("nbf", claims.not_before()).map(|told| format!("{told}; the leeway is {leeway}"))
            }
            Outcome::No(Reason::IssuedInFuture) => {
                told("iat", claims.issued_at()).map(|told| format!("{told}; the leeway is {leeway}"))
            }
            Outcome::No(_) => Some("there is no exp".to_owned()),
            Outcome::NotAsked => None,
        }
    }

    fn audience(&self, claims: &Claims, outcome: Outcome) -> Option<String> {
        let demanded = &self.requirement.audiences;
        let accepted = if demanded.is_empty() { &self.issuer.policy.audiences } else { demanded };
        let is_accepted = |name: &str| accepted.iter().any(|one| **one == *name);
        match outcome {
            Outcome::Yes => claims
                .audiences()
                .find(|name| is_accepted(name))
                .map(|name| format!("aud names {}", quoted(name))),
            Outcome::NotAsked => None,
            Outcome::No(_) => {
                let names: Vec<&str> = claims.audiences().collect();
                let said = if names.is_empty() {
                    "there is no aud".to_owned()
                } else {
                    format!("aud is {}", list(names))
                };
                let client_id = claims.pointer("/client_id").and_then(Value::as_str);
                let elsewhere = [("azp", claims.authorized_party()), ("client_id", client_id)];
                let elsewhere = elsewhere.into_iter().find(|(_, name)| name.is_some_and(is_accepted));
                let elsewhere = elsewhere
                    .map_or(String::new(), |(place, _)| format!("; {place} has it, where it does not count"));
                Some(format!("{said}; accepted are {}{elsewhere}", list(accepted.iter().map(|one| &**one))))
            }
        }
    }

    fn granted(&self, claims: &Claims) -> Option<String> {
        let lacking = self.requirement.scopes.iter().find(|scope| !claims.has_scope(scope));
        if let Some(scope) = lacking {
            let granted: Vec<&str> = claims.scopes().collect();
            let granted = if granted.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", list(granted))
            };
            return Some(format!("the scope {} is demanded; {granted}", quoted(scope)));
        }
        let rule = self.requirement.claims.iter().find(|rule| !rule.holds(claims))?;
        let value =
            claims.pointer(&rule.pointer).map_or("not there".to_owned(), |value| cut(&value.to_string()));
        Some(match &rule.test {
            ClaimTest::Present => format!("{} is {value}, and has to be there", rule.pointer),
            ClaimTest::Contains(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                format!("{} is {value}; accepted are {}", rule.pointer, cut(&values.join(", ")))
            }
        })
    }
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    cut(&texts.into_iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    cut(&format!("\"{text}\""))
}

/// A stranger's text, for a terminal.
fn cut(text: &str) -> String {
    let short: String = text.chars().take(LONGEST).collect();
    let end = if short.len() < text.len() { "…" } else { "" };
    format!("{}{end}", Printable(&short))
}
