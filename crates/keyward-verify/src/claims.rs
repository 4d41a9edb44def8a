//! The claims of a token, read strictly (RFC 7519 §4).

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use keyward_jose::json::{AnyValue, JsonError, MemberNames, Text};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use crate::UnixTime;
use crate::binding::Confirmation;

/// A JWT Claims Set: the JSON as it was signed, and the registered claims picked out of it.
///
/// Each claim name stands once, at every depth; the registered claims have the types that RFC 7519 §4.1
/// gives them.
pub struct Claims {
    json: Box<str>,
    registered: Registered,
    tree: OnceLock<Value>,
}

/// Where in the JSON the claims stand that every token's checks look at.
struct Registered {
    issuer: Option<Span>,
    subject: Option<Span>,
    authorized_party: Option<Span>,
    audiences: SmallVec<[Span; 2]>,
    expires_at: Option<UnixTime>,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
    scopes: SmallVec<[Span; 2]>,
    confirmation: Option<Box<Confirmation>>,
}

/// Why a payload is no claims set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// A claim name stands twice.
    #[error("a claim name stands twice")]
    DuplicateName,
    /// Not a JSON object in UTF-8, or a registered claim is of the wrong type or out of range.
    #[error("not a JSON object whose registered claims have the right types")]
    Malformed,
}

impl From<JsonError> for ClaimsError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::DuplicateName => Self::DuplicateName,
            JsonError::Malformed => Self::Malformed,
        }
    }
}

impl Claims {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`ClaimsError`], which says nothing of what stood there.
    pub fn parse(payload: &[u8]) -> Result<Self, ClaimsError> {
        let json: Box<str> = std::str::from_utf8(payload).map_err(|_| ClaimsError::Malformed)?.into();
        Ok(Self { registered: Registered::read(&json)?, json, tree: OnceLock::new() })
    }

    /// The whole set, as it was signed.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.registered.issuer.as_ref().map(|span| span.of(&self.json))
    }

    /// `sub`.
    pub fn subject(&self) -> Option<&str> {
        self.registered.subject.as_ref().map(|span| span.of(&self.json))
    }

    /// `azp`: the client that the token was issued to (OpenID Connect Core §2).
    pub fn authorized_party(&self) -> Option<&str> {
        self.registered.authorized_party.as_ref().map(|span| span.of(&self.json))
    }

    /// `aud`, be it a string or an array of strings.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.registered.audiences.iter().map(|span| span.of(&self.json))
    }

    /// `exp`; a fraction of a second is cut off.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.registered.expires_at
    }

    /// `nbf`; a fraction of a second counts as a whole one.
    pub fn not_before(&self) -> Option<UnixTime> {
        self.registered.not_before
    }

    /// `iat`; a fraction of a second counts as a whole one.
    pub fn issued_at(&self) -> Option<UnixTime> {
        self.registered.issued_at
    }

    /// The scopes granted: `scope` (RFC 8693 §4.2) and `scp`, each a string of names separated by spaces or
    /// an array of strings.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.registered
            .scopes
            .iter()
            .flat_map(|span| span.of(&self.json).split(' '))
            .filter(|name| !name.is_empty())
    }

    /// `cnf`: what the token is bound to (RFC 7800 §3.1).
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.registered.confirmation.as_deref()
    }

    /// Whether `scope` was granted, compared to the letter (RFC 6749 §3.3).
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|granted| granted == scope)
    }

    /// The value at a JSON Pointer such as `/realm_access/roles` (RFC 6901).
    ///
    /// The first call reads the whole set into a tree, which stays with these claims.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        self.tree().pointer(pointer)
    }

    fn tree(&self) -> &Value {
        self.tree.get_or_init(|| serde_json::from_str(&self.json).unwrap_or_default())
    }

    /// Roughly how many octets of memory this takes at most: with the tree, which may yet be read, and which
    /// for some JSON is a hundred times its text.
    pub(crate) fn weight(&self) -> usize {
        /// A node of a map's tree, which holds up to eleven members.
        const OBJECT: usize = 640;
        /// A value in an array that has room for as many again, or where a string stands.
        const ELEMENT: usize = 64;
        /// What a member takes beyond that: its name, and its share of nodes that are half empty.
        const NAME: usize = 32;
        let elements: usize = self
            .json
            .bytes()
            .map(|octet| match octet {
                b'{' => OBJECT,
                b'[' | b',' => ELEMENT,
                b':' => NAME,
                _ => 0,
            })
            .sum();
        let confirmation = self.confirmation().map_or(0, size_of_val);
        size_of::<Self>() + 2 * self.json.len() + elements + confirmation
    }
}

impl fmt::Debug for Claims {
    /// Says nothing of what the claims are: they are somebody's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("octets", &self.json.len()).finish_non_exhaustive()
    }
}

impl Registered {
    fn read(json: &str) -> Result<Self, JsonError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let raw = RawClaims::deserialize(&mut deserializer)?;
        deserializer.end()?;
        let base = json.as_ptr() as usize;
        let span = |text| Span::new(base, text);
        Ok(Self {
            issuer: raw.issuer.map(span),
            subject: raw.subject.map(span),
            authorized_party: raw.authorized_party.map(span),
            audiences: raw.audiences.0.into_iter().map(span).collect(),
            expires_at: raw.expires_at.map(|date| date.floor()),
            not_before: raw.not_before.map(|date| date.ceil()),
            issued_at: raw.issued_at.map(|date| date.ceil()),
            scopes: raw.scope.0.into_iter().chain(raw.scp.0).map(span).collect(),
            confirmation: raw.confirmation,
        })
    }
}

/// Where in the JSON a string stands; its own copy where it was written with escapes.
enum Span {
    Copied(Box<str>),
    Within { start: usize, end: usize },
}

impl Span {
    fn new(base: usize, text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => {
                let start = text.as_ptr() as usize - base;
                Self::Within { start, end: start + text.len() }
            }
            Cow::Owned(text) => Self::Copied(text.into()),
        }
    }

    fn of<'a>(&'a self, json: &'a str) -> &'a str {
        match self {
            Self::Copied(text) => text,
            Self::Within { start, end } => json.get(*start..*end).unwrap_or_default(),
        }
    }
}

#[derive(Default)]
struct RawClaims<'a> {
    issuer: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    authorized_party: Option<Cow<'a, str>>,
    audiences: OneOrMany<'a>,
    expires_at: Option<NumericDate>,
    not_before: Option<NumericDate>,
    issued_at: Option<NumericDate>,
    scope: OneOrMany<'a>,
    scp: OneOrMany<'a>,
    confirmation: Option<Box<Confirmation>>,
}

impl<'de> Deserialize<'de> for RawClaims<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawClaimsVisitor)
    }
}

struct RawClaimsVisitor;

impl<'de> Visitor<'de> for RawClaimsVisitor {
    type Value = RawClaims<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JWT Claims Set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut names = MemberNames::default();
        let mut claims = RawClaims::default();
        while let Some(Text(name)) = members.next_key()? {
            match name.as_ref() {
                "iss" => claims.issuer = Some(members.next_value::<Text<'de>>()?.0),
                "sub" => claims.subject = Some(members.next_value::<Text<'de>>()?.0),
                "azp" => claims.authorized_party = Some(members.next_value::<Text<'de>>()?.0),
                "aud" => claims.audiences = members.next_value()?,
                "exp" => claims.expires_at = Some(members.next_value()?),
                "nbf" => claims.not_before = Some(members.next_value()?),
                "iat" => claims.issued_at = Some(members.next_value()?),
                "scope" => claims.scope = members.next_value()?,
                "scp" => claims.scp = members.next_value()?,
                "cnf" => claims.confirmation = Some(members.next_value()?),
                _ => {
                    members.next_value::<AnyValue>()?;
                }
            }
            names.insert(name)?;
        }
        Ok(claims)
    }
}

/// A string, or an array of strings.
#[derive(Default)]
struct OneOrMany<'a>(SmallVec<[Cow<'a, str>; 2]>);

impl<'de> Deserialize<'de> for OneOrMany<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(OneOrMany(smallvec![Cow::Borrowed(text)]))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(OneOrMany(smallvec![Cow::Owned(text.to_owned())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut texts = SmallVec::new();
        while let Some(Text(text)) = elements.next_element()? {
            texts.push(text);
        }
        Ok(OneOrMany(texts))
    }
}

/// A JSON number of seconds (RFC 7519 §2), as the whole second before it and whether a fraction follows.
pub(crate) struct NumericDate {
    seconds: i64,
    fraction: bool,
}

impl NumericDate {
    /// 9999-12-31T23:59:59Z. What lies beyond is no date that anybody meant: mostly milliseconds.
    const LIMIT: i64 = 253_402_300_799;

    fn whole<E: de::Error>(seconds: i64) -> Result<Self, E> {
        if (-Self::LIMIT..=Self::LIMIT).contains(&seconds) {
            Ok(Self { seconds, fraction: false })
        } else {
            Err(E::custom("a date out of range"))
        }
    }

    pub(crate) fn floor(&self) -> UnixTime {
        UnixTime(self.seconds)
    }

    pub(crate) fn ceil(&self) -> UnixTime {
        UnixTime(self.seconds + i64::from(self.fraction))
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumericDateVisitor)
    }
}

struct NumericDateVisitor;

impl Visitor<'_> for NumericDateVisitor {
    type Value = NumericDate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<NumericDate, E> {
        NumericDate::whole(seconds)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
        NumericDate::whole(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
        // `as` saturates, and the range check refuses what it saturated to.
        let date = NumericDate::whole(seconds.floor() as i64)?;
        Ok(NumericDate { fraction: seconds.fract() != 0.0, ..date })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Claims, ClaimsError> {
        Claims::parse(json.as_bytes())
    }

    #[test]
    fn picks_out_the_registered_claims() {
        let claims = parse(
            r#"{"iss":"https:\/\/idp.example","sub":"alice","azp":"shop","aud":["a","b"],"exp":1700000000,
                "nbf":1600000000.5,"iat":16e8,"scope":"read  write","scp":["admin"],"x":{"y":[1]}}"#,
        )
        .expect("sound claims");
        assert_eq!(claims.issuer(), Some("https://idp.example"));
        assert_eq!(claims.subject(), Some("alice"));
        assert_eq!(claims.authorized_party(), Some("shop"));
        assert_eq!(claims.audiences().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(claims.expires_at(), Some(UnixTime(1_700_000_000)));
        assert_eq!(claims.not_before(), Some(UnixTime(1_600_000_001)));
        assert_eq!(claims.issued_at(), Some(UnixTime(1_600_000_000)));
        assert_eq!(claims.scopes().collect::<Vec<_>>(), ["read", "write", "admin"]);
        assert!(claims.has_scope("write") && !claims.has_scope("Write") && !claims.has_scope(""));
        assert_eq!(claims.pointer("/x/y/0"), Some(&Value::from(1)));
    }

    #[test]
    fn rounds_dates_against_the_token() {
        let claims = parse(r#"{"exp":10.9,"nbf":10.1,"iat":-10.5}"#).expect("sound claims");
        assert_eq!(claims.expires_at(), Some(UnixTime(10)));
        assert_eq!(claims.not_before(), Some(UnixTime(11)));
        assert_eq!(claims.issued_at(), Some(UnixTime(-10)));
    }

    #[test]
    fn refuses_what_is_no_claims_set() {
        for json in [
            "",
            "[]",
            "null",
            "7",
            "{",
            "{}{}",
            r#"{"iss":7}"#,
            r#"{"iss":null}"#,
            r#"{"sub":1}"#,
            r#"{"azp":1}"#,
            r#"{"aud":7}"#,
            r#"{"aud":[7]}"#,
            r#"{"aud":{}}"#,
            r#"{"aud":null}"#,
            r#"{"exp":"1"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":[1]}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":-1e300}"#,
            r#"{"exp":18446744073709551615}"#,
            r#"{"exp":99999999999999999999999999}"#,
            r#"{"exp":1700000000000}"#,
            r#"{"exp":NaN}"#,
            r#"{"exp":1e999}"#,
            r#"{"exp":0x10}"#,
            r#"{"nbf":true}"#,
            r#"{"scope":7}"#,
            r#"{"scp":[["a"]]}"#,
        ] {
            assert_eq!(parse(json).err(), Some(ClaimsError::Malformed), "{json}");
        }
        assert_eq!(Claims::parse(b"{\"sub\":\"\xff\"}").err(), Some(ClaimsError::Malformed));
        for json in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"sub":"a","\u0073ub":"b"}"#,
            r#"{"x":1,"x":1}"#,
            r#"{"x":[{"y":{"z":1,"z":2}}]}"#,
        ] {
            assert_eq!(parse(json).err(), Some(ClaimsError::DuplicateName), "{json}");
        }
    }
}
