use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use keyward_authority::cause::Cause;
use keyward_authority::http::{BODY_LIMIT, Form};

/// `Form::parse` of `data` as the body of a request to the token endpoint.
///
/// Each parameter is what a second reading finds, empty ones are not there, and no name stands twice that may not.
pub fn form(data: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let parsed = Form::parse(&headers, &Bytes::copy_from_slice(data));
    let mut pairs = Vec::new();
    for part in data.split(|octet| *octet == b'&').filter(|part| !part.is_empty()) {
        let (name, value) = match part.iter().position(|octet| *octet == b'=') {
            Some(at) => (&part[..at], &part[at + 1..]),
            None => (part, &[][..]),
        };
        pairs.push((decoded(name), decoded(value)));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    let form = match parsed {
        Ok(form) => form,
        Err(Cause::BodyTooLarge) => return assert!(data.len() > BODY_LIMIT || pairs.len() > 32),
        Err(Cause::ParameterRepeated) => return assert!(repeats(&pairs)),
        Err(other) => panic!("{other}"),
    };
    assert!(data.len() <= BODY_LIMIT && pairs.len() <= 32 && !repeats(&pairs));
    for (name, _) in &pairs {
        let expected: Vec<_> =
            pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        assert_eq!(form.all(name).collect::<Vec<_>>(), expected);
    }
}

/// Whether something stands there twice but `audience` and `resource` (RFC 8693 §2.1, RFC 8707 §2).
fn repeats(pairs: &[(String, String)]) -> bool {
    let once: Vec<_> = pairs
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !["audience", "resource"].contains(&name.as_str()))
        .collect();
    once.iter().enumerate().any(|(place, name)| once[..place].contains(name))
}

/// A percent sign that begins nothing is itself, and what is no UTF-8 is U+FFFD (WHATWG URL §5.1).
fn decoded(text: &[u8]) -> String {
    let mut octets = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let octet = digits
            .filter(|digits| text[at] == b'%' && digits.chars().all(|digit| digit.is_ascii_hexdigit()))
            .map(|digits| u8::from_str_radix(digits, 16).unwrap());
        octets.push(octet.unwrap_or(if text[at] == b'+' { b' ' } else { text[at] }));
        at += if octet.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&octets).into_owned()
}
