//! The members of an introspection response (RFC 7662 §2.2), each named once and of its own type.

use std::fmt;

use keyward_jose::json::{AnyValue, JsonError, MemberNames, Text};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::MalformedAnswer;

/// Whether a response says `"active": true`. Of an inactive one, nothing else is looked at but that no name stands
/// twice, lest two readers disagree.
pub(super) fn read_active(json: &[u8]) -> Result<bool, MalformedAnswer> {
    match read::<ActiveMember<'_>>(json)?.0 {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(MalformedAnswer::ActiveNotBoolean),
    }
}

/// What an active response says beside the claims that it shares with a JWT.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) jti: Option<Box<str>>,
    pub(super) sid: Option<Box<str>>,
    pub(super) token_type: Option<Box<str>>,
}

impl Details {
    /// `json` is an object whose names are unique.
    pub(super) fn read(json: &[u8]) -> Result<Self, MalformedAnswer> {
        read::<Self>(json).map_err(|_| MalformedAnswer::MemberType)
    }
}

fn read<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, MalformedAnswer> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    T::deserialize(&mut deserializer).and_then(|read| deserializer.end().map(|()| read)).map_err(|error| {
        match JsonError::from(error) {
            JsonError::DuplicateName => MalformedAnswer::DuplicateName,
            JsonError::Malformed => MalformedAnswer::NotJson,
        }
    })
}

/// `active` as it is written, where it is there.
struct ActiveMember<'a>(Option<&'a str>);

impl<'de> Deserialize<'de> for ActiveMember<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ActiveVisitor)
    }
}

struct ActiveVisitor;

impl<'de> Visitor<'de> for ActiveVisitor {
    type Value = ActiveMember<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an introspection response")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut names = MemberNames::default();
        let mut active = None;
        while let Some(Text(name)) = members.next_key()? {
            if name == "active" {
                active = Some(members.next_value::<&RawValue>()?.get());
            } else {
                members.next_value::<AnyValue>()?;
            }
            names.insert(name)?;
        }
        Ok(ActiveMember(active))
    }
}

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DetailsVisitor)
    }
}

struct DetailsVisitor;

impl<'de> Visitor<'de> for DetailsVisitor {
    type Value = Details;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an active introspection response")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut details = Details::default();
        while let Some(Text(name)) = members.next_key()? {
            let member = match name.as_ref() {
                "jti" => &mut details.jti,
                "sid" => &mut details.sid,
                "token_type" => &mut details.token_type,
                "client_id" | "username" => {
                    members.next_value::<Text<'de>>()?;
                    continue;
                }
                _ => {
                    members.next_value::<AnyValue>()?;
                    continue;
                }
            };
            *member = Some(members.next_value::<Text<'de>>()?.0.into());
        }
        Ok(details)
    }
}
