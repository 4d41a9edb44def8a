//! How the tokens of each issuer are decided in one place.

use super::{Strategy, Tactic};
use crate::Requirement;

/// A requirement's tactics, made once.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By the issuer's place.
    tactics: Box<[Tactic]>,
    /// The only issuer whose tokens may pass here.
    sole: Option<usize>,
    /// The issuer that opaque tokens are taken to.
    opaque: Option<usize>,
    keys_only: bool,
}

impl Plan {
    /// The plan for `requirement` with these tactics, by the issuer's place. Opaque tokens are taken to the issuer at
    /// `opaque`; without one they are malformed.
    pub fn new(requirement: &Requirement, tactics: Vec<Tactic>, opaque: Option<usize>) -> Self {
        let allowed = |place: &usize| requirement.allows_issuer(*place);
        let mut places = (0..tactics.len()).filter(allowed);
        let sole = places.next().filter(|_| places.next().is_none());
        let by_keys = |(_, tactic): (usize, &Tactic)| tactic.strategy == Strategy::KeySet;
        let of_allowed = || tactics.iter().enumerate().filter(|(place, _)| allowed(place));
        let keys_only = opaque.is_none() && of_allowed().all(by_keys);
        Self { sole, opaque, keys_only, tactics: tactics.into() }
    }

    /// Whether no endpoint is ever asked: [`decide`](crate::decide) is all there is to do.
    pub fn is_keys_only(&self) -> bool {
        self.keys_only
    }

    /// Whether the keys of the issuer at `place` are ever looked at for a token.
    pub fn uses_keys(&self, place: usize) -> bool {
        self.tactic(place).strategy != Strategy::Introspection
    }

    pub(super) fn tactic(&self, place: usize) -> Tactic {
        self.tactics.get(place).copied().unwrap_or_default()
    }

    pub(super) fn sole(&self) -> Option<usize> {
        self.sole
    }

    pub(super) fn opaque(&self) -> Option<usize> {
        self.opaque
    }
}
