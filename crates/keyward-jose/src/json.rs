//! JSON whose objects name each member once (RFC 7515 §4, RFC 7519 §4), at every depth.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, Deserialize, MapAccess, SeqAccess, Visitor};
use smallvec::SmallVec;

/// Why a text is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// A member name stands twice in one object.
    #[error("a member name stands twice in one object")]
    DuplicateName,
    /// Not JSON, not UTF-8, nested deeper than 128 levels, or followed by something else.
    #[error("not valid JSON")]
    Malformed,
}

/// The message by which the visitor's own error is told apart from serde_json's.
const DUPLICATE_NAME: &str = "duplicate member name";

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let duplicate = error.is_data() && error.to_string().starts_with(DUPLICATE_NAME);
        if duplicate { Self::DuplicateName } else { Self::Malformed }
    }
}

/// Checks that `text` is one JSON value in which no object repeats a member name.
///
/// # Errors
/// [`JsonError`], without a position: the text is a stranger's.
pub fn check_unique_names(text: &[u8]) -> Result<(), JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    AnyValue::deserialize(&mut deserializer)?;
    Ok(deserializer.end()?)
}

/// Whether `text`, where it is JSON, is an object.
///
/// What serde derives takes an array of the members' values for an object as well.
pub(crate) fn is_object(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

/// The names seen so far in one object.
///
/// Objects of tokens are small, so a scan beats hashing; past 24 names it sorts and
/// searches, so that a hostile object of thousands of members stays cheap.
#[derive(Debug, Default)]
pub struct MemberNames<'de> {
    recent: SmallVec<[Name<'de>; SCAN]>,
    sorted: BTreeSet<Name<'de>>,
}

type Name<'de> = Cow<'de, str>;

/// Up to so many names are compared one by one, and need no allocation.
const SCAN: usize = 24;

impl<'de> MemberNames<'de> {
    /// Takes in a name; an error where it was there already.
    pub fn insert<E: de::Error>(&mut self, name: Name<'de>) -> Result<(), E> {
        if self.recent.contains(&name) || self.sorted.contains(&name) {
            return Err(E::custom(DUPLICATE_NAME));
        }
        if self.recent.len() == SCAN {
            self.sorted.extend(self.recent.drain(..));
        }
        self.recent.push(name);
        Ok(())
    }
}

/// A string, borrowed from the text unless it holds an escape.
#[derive(Debug)]
pub struct Text<'de>(pub Name<'de>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

/// Reads a string without copying it where that can be.
struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Name::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Name::Owned(text.to_owned()))
    }
}

/// Any value; only the uniqueness of its names is looked at.
#[derive(Debug)]
pub struct AnyValue;

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValueVisitor)
    }
}

struct AnyValueVisitor;

impl<'de> Visitor<'de> for AnyValueVisitor {
    type Value = AnyValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<AnyValue, E> {
        Ok(AnyValue)
    }

    fn visit_i64<E>(self, _: i64) -> Result<AnyValue, E> {
        Ok(AnyValue)
    }

    fn visit_u64<E>(self, _: u64) -> Result<AnyValue, E> {
        Ok(AnyValue)
    }

    fn visit_f64<E>(self, _: f64) -> Result<AnyValue, E> {
        Ok(AnyValue)
    }

    fn visit_str<E>(self, _: &str) -> Result<AnyValue, E> {
        Ok(AnyValue)
    }

    fn visit_unit<E>(self) -> Result<AnyValue, E> {
        Ok(AnyValue)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<AnyValue, A::Error> {
        while elements.next_element::<AnyValue>()?.is_some() {}
        Ok(AnyValue)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<AnyValue, A::Error> {
        let mut names = MemberNames::default();
        while let Some(Text(name)) = members.next_key()? {
            names.insert(name)?;
            members.next_value::<AnyValue>()?;
        }
        Ok(AnyValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_repeated_name_at_any_depth_and_under_any_spelling() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":1}}"#, r#"[{"a":1,"\u0061":2}]"#] {
            assert_eq!(check_unique_names(text.as_bytes()), Err(JsonError::DuplicateName), "{text}");
        }
        assert_eq!(check_unique_names(br#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#), Ok(()));
    }

    #[test]
    fn stays_quick_with_thousands_of_names() {
        let members: Vec<_> = (0..5_000).map(|n| format!("\"m{n}\":{n}")).collect();
        let text = format!("{{{}}}", members.join(","));
        assert_eq!(check_unique_names(text.as_bytes()), Ok(()));
        let text = format!("{{{},\"m17\":0}}", members.join(","));
        assert_eq!(check_unique_names(text.as_bytes()), Err(JsonError::DuplicateName));
    }

    #[test]
    fn refuses_what_is_not_one_json_value() {
        let deep = "[".repeat(10_000);
        for text in ["", "{", "{} {}", "{\"a\":}", "nul", "\"\u{1}\"", "{'a':1}", deep.as_str()] {
            assert_eq!(check_unique_names(text.as_bytes()), Err(JsonError::Malformed));
        }
        assert_eq!(check_unique_names(b"{\"a\":\"\xff\"}"), Err(JsonError::Malformed));
    }
}
