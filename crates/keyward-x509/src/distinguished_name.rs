//! A distinguished name as people write it (RFC 4514), to hold a certificate's subject against.

use std::str::FromStr;

use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::Certificate;

/// A distinguished name, such as `CN=client,O=Example,C=DE`: the most specific part first.
///
/// Two are the same where they have the same parts in the same order, a part's attributes in any order, with the same types and
/// the same values, to the letter. RFC 4517 would let some differ in case or white space; whoever names a subject here copies it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DistinguishedName(Vec<Part>);

/// The attributes of one part (RelativeDistinguishedName), in the order of their types and values.
type Part = Vec<Attribute>;

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Attribute {
    /// Its object identifier, dotted.
    kind: String,
    value: Value,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Value {
    /// The DER of a value that is no text, or that was written so.
    Der(Vec<u8>),
    Text(String),
}

/// Why a text is no distinguished name that a certificate could be held against.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DistinguishedNameError {
    /// It has no part, and so would say nothing.
    #[error("the name is empty")]
    Empty,
    /// An attribute's type has none of RFC 4514's names: it has to be given as an object identifier, such as
    /// `1.2.840.113549.1.9.1`.
    #[error("an attribute has a type of unknown name; write it as an object identifier")]
    KindUnknown,
    /// It is not of the form of RFC 4514 §3.
    #[error("the name is not as RFC 4514 writes one, such as CN=client,O=Example,C=DE")]
    Malformed,
}

/// The names of RFC 4514 §3, and no others.
const KINDS: [(&str, &str); 9] = [
    ("C", "2.5.4.6"),
    ("CN", "2.5.4.3"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("L", "2.5.4.7"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];

impl DistinguishedName {
    /// Whether it is this certificate's subject.
    pub fn is_subject_of(&self, certificate: &Certificate) -> bool {
        Self::from_der(certificate.subject_der()).is_some_and(|subject| subject == *self)
    }

    /// The DER of a Name (RFC 5280 §4.1.2.4), whose first part is the last one of the text (RFC 4514 §2.1).
    fn from_der(der: &[u8]) -> Option<Self> {
        let (rest, name) = X509Name::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let parts: Option<Vec<Part>> = name
            .iter_rdn()
            .map(|part| part.iter().map(Attribute::from_der).collect::<Option<Part>>().map(sorted))
            .collect();
        let mut parts = parts?;
        parts.reverse();
        Some(Self(parts))
    }
}

impl FromStr for DistinguishedName {
    type Err = DistinguishedNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(DistinguishedNameError::Empty);
        }
        let parts = split(text, &[',', ';'])?;
        let part = |part: &str| {
            let attributes = split(part, &['+'])?;
            attributes.into_iter().map(Attribute::from_text).collect::<Result<Part, _>>().map(sorted)
        };
        parts.into_iter().map(part).collect::<Result<_, _>>().map(Self)
    }
}

/// What stands between the separators that no backslash is in front of.
fn split<'a>(text: &'a str, separators: &[char]) -> Result<Vec<&'a str>, DistinguishedNameError> {
    let mut pieces = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if separators.contains(&c) {
            pieces.push(text.get(start..at).ok_or(DistinguishedNameError::Malformed)?);
            start = at + c.len_utf8();
        }
    }
    pieces.push(text.get(start..).ok_or(DistinguishedNameError::Malformed)?);
    Ok(pieces)
}

fn sorted(mut part: Part) -> Part {
    part.sort();
    part
}

impl Attribute {
    fn from_text(text: &str) -> Result<Self, DistinguishedNameError> {
        let (kind, value) = text.split_once('=').ok_or(DistinguishedNameError::Malformed)?;
        let kind = kind.trim();
        let named = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
        let kind = match named {
            Some((_, identifier)) => (*identifier).to_owned(),
            None if is_identifier(kind) => kind.to_owned(),
            None => return Err(DistinguishedNameError::KindUnknown),
        };
        let value = trimmed(value);
        let value = match value.strip_prefix('#') {
            Some(digits) => Value::Der(octets(digits)?),
            None => Value::Text(unescaped(value)?),
        };
        Ok(Self { kind, value })
    }

    fn from_der(attribute: &AttributeTypeAndValue<'_>) -> Option<Self> {
        let kind = attribute.attr_type().to_id_string();
        let value = attribute.attr_value();
        let text = match value.tag() {
            Tag::PrintableString | Tag::Utf8String | Tag::Ia5String => str::from_utf8(value.data).ok(),
            _ => None,
        };
        let value = match text {
            Some(text) => Value::Text(text.to_owned()),
            None => Value::Der(whole(value.header.raw_tag()?, value.data)?),
        };
        Some(Self { kind, value })
    }
}

/// A value's DER, with its tag and its length (X.690 §8.1).
fn whole(tag: &[u8], contents: &[u8]) -> Option<Vec<u8>> {
    let mut der = tag.to_vec();
    match u8::try_from(contents.len()) {
        Ok(length @ 0..=127) => der.push(length),
        _ => {
            let length = contents.len().to_be_bytes();
            let zeros = length.iter().take_while(|octet| **octet == 0).count();
            let octets = length.get(zeros..)?;
            der.push(0x80 | u8::try_from(octets.len()).ok()?);
            der.extend_from_slice(octets);
        }
    }
    der.extend_from_slice(contents);
    Some(der)
}

fn is_identifier(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|c| c.is_ascii_digit()))
}

/// Without the spaces around it, but for one that is escaped.
fn trimmed(text: &str) -> &str {
    let text = text.trim_start_matches(' ');
    let cut = text.trim_end_matches(' ');
    let backslashes = cut.len() - cut.trim_end_matches('\\').len();
    if backslashes % 2 == 1 { text.get(..cut.len() + 1).unwrap_or(cut) } else { cut }
}

/// A text of RFC 4514 §3: a backslash stands before a special character, or before an octet of UTF-8 in two hexadecimal digits.
fn unescaped(text: &str) -> Result<String, DistinguishedNameError> {
    let malformed = || DistinguishedNameError::Malformed;
    let mut unescaped = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        match octet {
            b'\\' => {
                let escaped = rest.next().ok_or_else(malformed)?;
                match escaped {
                    b' ' | b'"' | b'#' | b'+' | b',' | b';' | b'<' | b'=' | b'>' | b'\\' => {
                        unescaped.push(escaped);
                    }
                    high => {
                        let low = rest.next().ok_or_else(malformed)?;
                        unescaped.push(digit(high)? << 4 | digit(low)?);
                    }
                }
            }
            b'"' | b'<' | b'>' | 0 => return Err(malformed()),
            plain => unescaped.push(plain),
        }
    }
    if unescaped.is_empty() {
        return Err(malformed());
    }
    String::from_utf8(unescaped).map_err(|_| malformed())
}

fn octets(digits: &str) -> Result<Vec<u8>, DistinguishedNameError> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(DistinguishedNameError::Malformed);
    }
    pairs.iter().map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn digit(octet: u8) -> Result<u8, DistinguishedNameError> {
    let digit = char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digit.ok_or(DistinguishedNameError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> DistinguishedName {
        text.parse().unwrap()
    }

    /// `C=DE, O=Example, CN=a+b` in DER, the last part with a UID beside it where `uid` is.
    fn der(uid: bool) -> Vec<u8> {
        let attribute = |kind: &[u8], tag: u8, value: &[u8]| {
            let kind = [&[6, kind.len() as u8], kind].concat();
            let value = [&[tag, value.len() as u8], value].concat();
            [&[0x30, (kind.len() + value.len()) as u8], &*kind, &*value].concat()
        };
        let part = |attributes: &[Vec<u8>]| {
            let all = attributes.concat();
            [&[0x31, all.len() as u8], &*all].concat()
        };
        let country = part(&[attribute(&[0x55, 4, 6], 0x13, b"DE")]);
        let organization = part(&[attribute(&[0x55, 4, 10], 0x0c, b"Example")]);
        let common = attribute(&[0x55, 4, 3], 0x0c, b"a+b");
        let user = attribute(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], 0x0c, b"7");
        let last = if uid { part(&[common, user]) } else { part(&[common]) };
        let all = [country, organization, last].concat();
        [&[0x30, all.len() as u8], &*all].concat()
    }

    #[test]
    fn a_name_is_the_subject_that_it_spells_and_no_other() {
        let subject = DistinguishedName::from_der(&der(false)).unwrap();
        for same in [
            "CN=a\\+b,O=Example,C=DE",
            "cn=a\\2bb, 2.5.4.10=Example ;c=DE",
            "CN=#0c03612b62,O=Example,C=DE".replace("#0c03612b62", "a\\+b").as_str(),
        ] {
            assert_eq!(name(same), subject, "{same}");
        }
        for other in ["C=DE,O=Example,CN=a\\+b", "CN=A\\+b,O=Example,C=DE", "CN=a\\+b,O=Example", "CN=a\\+b"]
        {
            assert_ne!(name(other), subject, "{other}");
        }
    }

    #[test]
    fn the_attributes_of_a_part_have_no_order() {
        let subject = DistinguishedName::from_der(&der(true)).unwrap();
        assert_eq!(name("UID=7+CN=a\\+b,O=Example,C=DE"), subject);
        assert_eq!(name("CN=a\\+b+UID=7,O=Example,C=DE"), subject);
        assert_ne!(name("CN=a\\+b,O=Example,C=DE"), subject);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        use DistinguishedNameError::*;
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            ("CN", Malformed),
            ("CN=", Malformed),
            ("CN=a,", Malformed),
            ("CN=a\\", Malformed),
            ("CN=a\\zz", Malformed),
            ("CN=\\ff", Malformed),
            ("CN=#1", Malformed),
            ("CN=a\"b", Malformed),
            ("E=a@b", KindUnknown),
            ("=a", KindUnknown),
        ] {
            assert_eq!(text.parse::<DistinguishedName>(), Err(error), "{text}");
        }
        assert_eq!(name("CN= a\\ "), name("CN=a\\20"));
    }

    /// A value as RFC 4514 §2.4 writes it, with a backslash before whatever may have one.
    fn escaped(value: &str) -> String {
        let special = |c: char| " \"#+,;<=>\\".contains(c);
        let escape = |c: char| match c {
            '\0' => "\\00".to_owned(),
            c if special(c) => format!("\\{c}"),
            c => c.to_string(),
        };
        value.chars().map(escape).collect()
    }

    proptest! {
        #[test]
        fn a_value_that_is_escaped_is_itself(value in any::<String>().prop_filter("some", |text| !text.is_empty())) {
            let parsed = name(&format!("CN={},O=x", escaped(&value)));
            let first = Attribute { kind: "2.5.4.3".to_owned(), value: Value::Text(value) };
            prop_assert_eq!(parsed.0.first(), Some(&vec![first]));
        }

        #[test]
        fn whatever_is_written_is_a_name_or_refused(text in any::<String>(), octets in any::<Vec<u8>>()) {
            let _ = text.parse::<DistinguishedName>();
            let _ = DistinguishedName::from_der(&octets);
        }
    }
}
