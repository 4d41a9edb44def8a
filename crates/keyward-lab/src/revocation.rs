//! Tokens taken back before their time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many tokens are remembered that were taken back one by one.
const JTI_LIMIT: usize = 100_000;

/// What is taken back: of what was issued before now. Introspection says that it is inactive; a signature stays good.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Revoke {
    /// Everything.
    All,
    /// What the token endpoint granted.
    Bearers,
    /// The token with this `jti`, whenever it is issued.
    Jti(String),
    /// Those whose plan had this mark.
    Mark(String),
    /// Those of this `sub`.
    Sub(String),
}

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// The token endpoint.
    Grant,
    /// A token plan, with its mark.
    Plan(Option<&'a str>),
}

/// What is known of a token by its `jti`, which is so made that nothing has to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenId<'a> {
    pub(crate) origin: Origin<'a>,
    /// How many tokens its issuer had issued before it.
    pub(crate) number: u64,
}

/// What an issuer has taken back. The numbers are of the first token that is not.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    all: u64,
    bearers: u64,
    marks: BTreeMap<String, u64>,
    subs: BTreeMap<String, u64>,
    jtis: BTreeSet<String>,
}

impl<'a> TokenId<'a> {
    /// The `jti`: where it comes from, its number, something random, and its mark.
    pub(crate) fn text(self, random: &str) -> String {
        let number = self.number;
        match self.origin {
            Origin::Grant => format!("{GRANTED}:{number}:{random}"),
            Origin::Plan(None) => format!("{PLANNED}:{number}:{random}"),
            Origin::Plan(Some(mark)) => format!("{PLANNED}:{number}:{random}:{mark}"),
        }
    }

    /// None for one that a plan gave.
    pub(crate) fn parse(jti: &'a str) -> Option<Self> {
        let mut parts = jti.splitn(4, ':');
        let (from, number, _) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let origin = match from {
            GRANTED => Origin::Grant,
            PLANNED => Origin::Plan(parts.next()),
            _ => return None,
        };
        Some(Self { origin, number })
    }
}

const GRANTED: &str = "granted";
const PLANNED: &str = "planned";

impl Revocations {
    /// Takes back what was issued until now: `issued` tokens.
    pub(crate) fn add(&mut self, revoke: &Revoke, issued: u64) {
        match revoke {
            Revoke::All => self.all = issued,
            Revoke::Bearers => self.bearers = issued,
            Revoke::Mark(mark) => drop(self.marks.insert(mark.clone(), issued)),
            Revoke::Sub(sub) => drop(self.subs.insert(sub.clone(), issued)),
            Revoke::Jti(jti) => {
                if self.jtis.len() >= JTI_LIMIT {
                    self.jtis.pop_first();
                }
                self.jtis.insert(jti.clone());
            }
        }
    }

    /// Whether a token of these claims was taken back.
    pub(crate) fn revoked(&self, claims: &Value) -> bool {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let jti = text("jti").unwrap_or_default();
        // One whose jti was planned was issued before anything that is taken back.
        let id = TokenId::parse(jti).unwrap_or(TokenId { origin: Origin::Plan(None), number: 0 });
        let of_origin = match id.origin {
            Origin::Grant => self.bearers,
            Origin::Plan(mark) => mark.and_then(|mark| self.marks.get(mark)).copied().unwrap_or(0),
        };
        let of_sub = text("sub").and_then(|sub| self.subs.get(sub)).copied().unwrap_or(0);
        id.number < self.all.max(of_origin).max(of_sub) || self.jtis.contains(jti)
    }
}
