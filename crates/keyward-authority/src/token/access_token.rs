//! What an access token says, whether it is signed or kept (RFC 9068 §2.2).

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Confirmation;
use crate::entity::SubjectType;

/// `typ` of a signed one.
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// What an access token says. A signed one holds it as its payload; what an opaque one says is kept.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AccessToken<'a> {
    /// The realm's issuer identifier.
    #[serde(borrow)]
    pub iss: Cow<'a, str>,
    /// In whose name it speaks.
    #[serde(borrow)]
    pub sub: Cow<'a, str>,
    /// What that is.
    pub subject_type: SubjectType,
    /// Who may take it.
    #[serde(borrow)]
    pub aud: Audiences<'a>,
    /// Until when it is good, in seconds since 1970.
    pub exp: i64,
    /// Since when.
    pub iat: i64,
    /// Which one it is: 128 random bits.
    #[serde(borrow)]
    pub jti: Cow<'a, str>,
    /// Who asked for it; the service account itself where no client did.
    #[serde(borrow)]
    pub client_id: Cow<'a, str>,
    /// What it is good for, separated by spaces.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub scope: Cow<'a, str>,
    /// What it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts for the subject (RFC 8693 §4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// The refresh tokens that it goes with: it ends where they are revoked.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Cow<'a, str>>,
}

impl<'a> AccessToken<'a> {
    /// What we signed or kept; none where it is not what this version writes.
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }

    /// The same, with texts of its own.
    pub(super) fn into_owned(self) -> AccessToken<'static> {
        fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
            Cow::Owned(text.into_owned())
        }
        let Self { iss, sub, subject_type, aud, exp, iat, jti, client_id, scope, cnf, act, grant } = self;
        AccessToken {
            iss: owned(iss),
            sub: owned(sub),
            subject_type,
            aud: Audiences(aud.0.into_iter().map(owned).collect()),
            exp,
            iat,
            jti: owned(jti),
            client_id: owned(client_id),
            scope: owned(scope),
            cnf,
            act,
            grant: grant.map(owned),
        }
    }

    /// Whether it has this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|granted| granted == scope)
    }
}

/// `aud`: one, or several (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Audiences<'a>(pub Vec<Cow<'a, str>>);

impl Audiences<'_> {
    /// Whether this is one of them.
    pub fn contains(&self, audience: &str) -> bool {
        self.0.iter().any(|named| named == audience)
    }
}

impl Serialize for Audiences<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let [one] = self.0.as_slice() {
            return serializer.serialize_str(one);
        }
        let mut several = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|audience| several.serialize_element(audience))?;
        several.end()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Audiences<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudiencesVisitor).map(Audiences)
    }
}

struct AudiencesVisitor;

impl<'de> Visitor<'de> for AudiencesVisitor {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, one: &'de str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Borrowed(one)])
    }

    fn visit_str<E>(self, one: &str) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(one.to_owned())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut several = Vec::new();
        while let Some(audience) = elements.next_element::<String>()? {
            several.push(Cow::Owned(audience));
        }
        Ok(several)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(audiences: &[&'static str]) -> AccessToken<'static> {
        AccessToken {
            iss: "https://host/realms/main".into(),
            sub: "robot".into(),
            subject_type: SubjectType::ServiceAccount,
            aud: Audiences(audiences.iter().map(|audience| Cow::Borrowed(*audience)).collect()),
            exp: 300,
            iat: 0,
            jti: "jti".into(),
            client_id: "robot".into(),
            scope: "".into(),
            cnf: None,
            act: None,
            grant: None,
        }
    }

    #[test]
    fn what_is_not_there_is_not_said_and_one_audience_is_no_array() {
        let text = serde_json::to_string(&token(&["api"])).unwrap();
        assert_eq!(
            text,
            r#"{"iss":"https://host/realms/main","sub":"robot","subject_type":"service_account","aud":"api","exp":300,"iat":0,"jti":"jti","client_id":"robot"}"#
        );
        assert_eq!(AccessToken::parse(text.as_bytes()), Some(token(&["api"])));
    }

    #[test]
    fn what_was_written_is_read_as_it_was_whatever_the_names_are() {
        let mut written = token(&["a\"b", "é"]);
        written.sub = "\u{1}\\".into();
        written.scope = "read write".into();
        written.cnf = Some(Confirmation { jkt: Some("key".to_owned()), certificate: None });
        written.act = Some(serde_json::json!({ "sub": "clerk" }));
        written.grant = Some("family".into());
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(AccessToken::parse(text.as_bytes()).unwrap(), written);
        assert!(written.has_scope("read") && !written.has_scope("rea") && written.aud.contains("é"));
    }
}
