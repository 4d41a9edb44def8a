//! A JSON Web Key as it is read and as it is published (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::json::{JsonError, check_unique_names, is_object};
use crate::{Algorithm, KeyType, Thumbprint, UnusableKey};

/// A JWK as somebody published it: every member that we look at, nothing checked but types and names.
#[derive(Debug, Deserialize)]
pub(crate) struct RawJwk<'a> {
    #[serde(borrow)]
    pub(crate) kty: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) kid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) alg: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "use")]
    pub(crate) public_key_use: Option<Cow<'a, str>>,
    pub(crate) key_ops: Option<Vec<String>>,
    #[serde(borrow)]
    pub(crate) crv: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) x: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) y: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) n: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) e: Option<Cow<'a, str>>,
    d: Option<serde::de::IgnoredAny>,
    p: Option<serde::de::IgnoredAny>,
    q: Option<serde::de::IgnoredAny>,
    dp: Option<serde::de::IgnoredAny>,
    dq: Option<serde::de::IgnoredAny>,
    qi: Option<serde::de::IgnoredAny>,
    oth: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
    /// Whatever stands there: what is wrong with a certificate costs no key.
    #[serde(borrow)]
    pub(crate) x5c: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) x5t: Option<&'a RawValue>,
    #[serde(borrow, rename = "x5t#S256")]
    pub(crate) x5t_s256: Option<&'a RawValue>,
}

impl<'a> RawJwk<'a> {
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, UnusableKey> {
        if !is_object(json) {
            return Err(UnusableKey::Malformed);
        }
        check_unique_names(json).map_err(|error| match error {
            JsonError::DuplicateName => UnusableKey::DuplicateMember,
            JsonError::Malformed => UnusableKey::Malformed,
        })?;
        serde_json::from_slice(json).map_err(|_| UnusableKey::Malformed)
    }

    /// Whether a member of a private key is there (RFC 7518 §6.2.2, §6.3.2, RFC 8037 §2).
    pub(crate) fn has_private_members(&self) -> bool {
        [&self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi, &self.oth, &self.k]
            .into_iter()
            .any(Option::is_some)
    }
}

/// A JWK within a text whose names are known to be unique at every depth.
pub(crate) struct InnerJwk<'a>(pub(crate) RawJwk<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for InnerJwk<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InnerJwkVisitor)
    }
}

/// Takes objects only: what serde derives takes an array of the members' values as well.
struct InnerJwkVisitor;

impl<'de> Visitor<'de> for InnerJwkVisitor {
    type Value = InnerJwk<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JWK")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        RawJwk::deserialize(MapAccessDeserializer::new(members)).map(InnerJwk)
    }
}

/// A public key as a JWK, ready to be published.
///
/// It serializes with `kty`, the key's own members, and `kid`, `alg` and `use: sig`. There is no way to put
/// a private member into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    pub(crate) kid: Option<Box<str>>,
    pub(crate) algorithm: Algorithm,
    pub(crate) members: PublicMembers,
}

/// The members that make up a public key, in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicMembers {
    Ec { crv: &'static str, x: String, y: String },
    Okp { crv: &'static str, x: String },
    Rsa { n: String, e: String },
}

impl PublicMembers {
    pub(crate) fn key_type(&self) -> KeyType {
        match self {
            Self::Ec { .. } => KeyType::Ec,
            Self::Okp { .. } => KeyType::Okp,
            Self::Rsa { .. } => KeyType::Rsa,
        }
    }

    /// The members of the key itself, without `kty`.
    pub(crate) fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        match self {
            Self::Ec { crv, x, y } => {
                map.serialize_entry("crv", crv)?;
                map.serialize_entry("x", x)?;
                map.serialize_entry("y", y)
            }
            Self::Okp { crv, x } => {
                map.serialize_entry("crv", crv)?;
                map.serialize_entry("x", x)
            }
            Self::Rsa { n, e } => {
                map.serialize_entry("n", n)?;
                map.serialize_entry("e", e)
            }
        }
    }
}

impl Jwk {
    /// `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `alg`.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's RFC 7638 thumbprint, of which `kid` and `alg` are no part.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.members)
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kty", self.members.key_type().name())?;
        if let Some(kid) = &self.kid {
            map.serialize_entry("kid", kid)?;
        }
        map.serialize_entry("alg", self.algorithm.name())?;
        map.serialize_entry("use", "sig")?;
        self.members.serialize_into(&mut map)?;
        map.end()
    }
}
