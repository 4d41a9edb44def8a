//! The token that was handed in: what is the matter with it, the first thing that has to change first.

mod demands;
mod form;
mod issuer;
mod keys;

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{Facts, IssuerFacts, IssuerMatch, TokenFacts, TokenForm};

use super::found::Found;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    let Some(token) = &facts.token else {
        return;
    };
    let case = Case { token, its: its_issuer(facts, token), facts };
    let before = found.findings.len();
    case.wrapped(found);
    // What cannot be read is looked at no further, nor is what is another issuer's or was signed by nobody we know: the rest
    // would be said of a token that will not be sent any more.
    let settled = case.form(found) || case.issuer(found) || case.keys(found);
    if !settled {
        case.demands(found);
    }
    if found.findings.len() == before {
        case.sound(found);
    }
}

/// A token, and the issuer that it is held against.
struct Case<'a> {
    facts: &'a Facts,
    token: &'a TokenFacts,
    its: Option<&'a IssuerFacts>,
}

fn its_issuer<'a>(facts: &'a Facts, token: &TokenFacts) -> Option<&'a IssuerFacts> {
    match &token.issuer {
        IssuerMatch::Exact(name) | IssuerMatch::Near { name, .. } => {
            facts.issuers.iter().find(|issuer| issuer.configured.name == *name)
        }
        IssuerMatch::Absent | IssuerMatch::Unknown => match facts.issuers.as_slice() {
            [only] => Some(only),
            _ => None,
        },
    }
}

impl Case<'_> {
    /// A finding on this token, of its issuer where that is known.
    fn finding(&self, code: Code, cause: impl AsRef<str>) -> Finding {
        let finding = Finding::new(code, cause);
        match self.its {
            Some(its) => finding.of(&its.configured.name),
            None => finding,
        }
    }

    /// Our name for its issuer.
    fn name(&self) -> &str {
        self.its.map_or("its issuer", |its| &its.configured.name)
    }

    /// The routes that refuse it for one of these reasons, and how many routes there are.
    fn refusing(&self, reasons: &[&str]) -> Vec<&str> {
        let refuses = |reason: Option<&str>| reason.is_some_and(|reason| reasons.contains(&reason));
        let routes = self.token.would_be.iter().filter(|would_be| refuses(would_be.reason.as_deref()));
        routes.map(|would_be| would_be.of.as_str()).collect()
    }

    /// Nothing was found. Where it is accepted, that is healthy; where nobody could tell, that is said.
    fn sound(&self, found: &mut Found) {
        let routes = &self.token.would_be;
        let saying = |verdict: &str| routes.iter().filter(|would_be| would_be.verdict == verdict).count();
        let (accepting, asking) = (saying("accept"), saying("introspected"));
        let of = self.its.map(|its| its.configured.name.as_str());
        if accepting > 0 && accepting + asking == routes.len() {
            found.healthy(of, "the token that was handed in is good: it would be accepted");
        } else if accepting > 0 {
            let total = routes.len();
            found.healthy(
                of,
                format!("the token that was handed in would be accepted by {accepting} of {total} routes"),
            );
        } else if asking > 0 {
            found.unseen("whether the token that was handed in is active: its issuer's introspection endpoint says so, which is not asked");
        } else {
            found.unseen("what is the matter with the token that was handed in: there were no keys to try its signature with");
        }
        if let Some(bound) = &self.token.bound
            && accepting > 0
        {
            found.healthy(
                of,
                format!("the token is bound ({bound}): each request has to prove the key or certificate"),
            );
        }
    }

    fn is_readable(&self) -> bool {
        self.token.form == TokenForm::Jws && self.token.refused_for.is_none()
    }
}

#[cfg(test)]
mod tests;
