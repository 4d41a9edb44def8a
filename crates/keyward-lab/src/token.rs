//! Tokens, good and bad.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// What a token is to be like. The default is a good one, signed with the key that signs now.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TokenPlan {
    /// The issuer's key that signs it. Default: the one that signs now.
    #[serde(default)]
    pub key: Option<String>,
    /// What its `kid` says.
    #[serde(default)]
    pub kid: Kid,
    /// What its signature is worth.
    #[serde(default)]
    pub signature: Signature,
    /// From `iat` to `exp`. Default 300 s.
    #[serde(default)]
    pub lifetime: Option<Time>,
    /// How long ago it was issued. Default: just now.
    #[serde(default)]
    pub issued_ago: Time,
    /// `typ`. Default `at+jwt`.
    #[serde(default)]
    pub typ: Option<String>,
    /// `aud`. Default: the issuer's.
    #[serde(default)]
    pub audience: Option<String>,
    /// Further claims, which replace those of the same name; a JSON text each.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
    /// Whether it is opaque: only introspection tells what it stands for. Of such a one `key`, `kid` and `typ` mean
    /// nothing, and unless its `signature` is good nobody knows it. Default: a JWT.
    #[serde(default)]
    pub opaque: bool,
    /// What [`crate::revocation::Revoke::Mark`] calls it, at the end of its `jti`. Default: nothing.
    #[serde(default)]
    pub mark: Option<String>,
    /// Filled up to about this many octets in all.
    #[serde(default)]
    pub octets: Option<usize>,
}

/// What a token's `kid` says.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kid {
    /// Its key's.
    #[default]
    Own,
    /// Nothing: there is none.
    Absent,
    /// A new one each time, that nobody has.
    Random,
    /// This.
    Given(String),
}

/// What a token's signature is worth.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// It is the key's.
    #[default]
    Good,
    /// It is the right size, and random.
    Random,
    /// It is another new key's of the same kind.
    OtherKey,
}
