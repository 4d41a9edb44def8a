//! What a caller says of one place where tokens are decided.

use keyward_verify::Requirement;
use keyward_verify::strategy::{Plan, Strategy};

use crate::SettingsError;
use crate::issuer_settings::IssuerSettings;

/// What is demanded of tokens in one place, and how they are decided there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequirementSettings {
    /// What is demanded.
    pub requirement: Requirement,
    /// Which way tokens are decided here; none for each issuer's own.
    pub strategy: Option<Strategy>,
    /// The place of the issuer that opaque tokens are taken to; none for the only one that has an introspection
    /// endpoint. Where there are several, opaque tokens are malformed here.
    pub opaque_issuer: Option<usize>,
    /// The places of the issuers whose fallback does not hold here.
    pub without_fallback: Vec<usize>,
}

/// A requirement, and the plan that was made for it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) requirement: Requirement,
    pub(super) plan: Plan,
}

impl From<Requirement> for RequirementSettings {
    fn from(requirement: Requirement) -> Self {
        Self { requirement, ..Self::default() }
    }
}

impl RequirementSettings {
    /// The plan for it with these issuers.
    pub(super) fn held(self, issuers: &[IssuerSettings]) -> Result<Held, SettingsError> {
        let allows = |place: usize| {
            let allowed = &self.requirement.issuers;
            allowed.is_empty() || allowed.contains(&place)
        };
        let mut tactics = Vec::with_capacity(issuers.len());
        for (place, issuer) in issuers.iter().enumerate() {
            let wanted = self.strategy.filter(|_| allows(place)).unwrap_or(issuer.strategy);
            let mut tactic = issuer.tactic(wanted)?;
            if self.without_fallback.contains(&place) {
                tactic.fallback = None;
            }
            tactics.push(tactic);
        }
        let introspected = |place: &usize| {
            allows(*place) && issuers.get(*place).is_some_and(|issuer| issuer.introspection.is_some())
        };
        let opaque = match self.opaque_issuer {
            Some(place) if introspected(&place) => Some(place),
            Some(place) => {
                let name = issuers.get(place).map(|issuer| issuer.policy.name.to_string());
                return Err(SettingsError::OpaqueTokens { issuer: name.unwrap_or_default() });
            }
            None => {
                let mut places = (0..issuers.len()).filter(introspected);
                places.next().filter(|_| places.next().is_none())
            }
        };
        let plan = Plan::new(&self.requirement, tactics, opaque);
        Ok(Held { requirement: self.requirement, plan })
    }
}
