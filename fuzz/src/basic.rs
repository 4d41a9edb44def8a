use keyward_authority::client_auth;

use crate::base64url;

/// `client_auth::basic` of `data` as an `Authorization` header, and as what stands in one.
///
/// What is read is what a second reading finds, and is read again from its plainest spelling.
pub fn basic(data: &[u8]) {
    let encoded = base64(data);
    let wrapped = format!("Basic {encoded}");
    for (header, joined) in [(data, joined(data)), (wrapped.as_bytes(), Some(data.to_vec()))] {
        let read = client_auth::basic(header).ok().map(|(name, secret)| (name, secret.to_string()));
        assert_eq!(read, joined.as_deref().and_then(pair));
        if let Some((name, secret)) = read {
            let plain =
                format!("basic {}", base64(format!("{}:{}", spelled(&name), spelled(&secret)).as_bytes()));
            let (again, and) = client_auth::basic(plain.as_bytes()).unwrap();
            assert_eq!((again, and.to_string()), (name, secret));
        }
    }
}

/// What stands in a header (RFC 7617 §2).
fn joined(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let text: Vec<u8> = rest
        .trim_ascii()
        .iter()
        .map(|letter| match letter {
            b'+' => b'-',
            b'/' => b'_',
            // Letters of the other alphabet are none of this one.
            b'-' | b'_' => b'!',
            other => *other,
        })
        .collect();
    let padding = text.iter().rev().take_while(|letter| **letter == b'=').count();
    let is_padded = text.len().is_multiple_of(4) && padding <= 2;
    is_padded.then(|| base64url::decode(&text[..text.len() - padding]))?
}

/// Name and secret, form-urlencoded each before they were joined (RFC 6749 §2.3.1).
fn pair(joined: &[u8]) -> Option<(String, String)> {
    let text = |part: &[u8]| String::from_utf8(decoded(part)?).ok();
    let colon = joined.iter().position(|octet| *octet == b':')?;
    Some((text(&joined[..colon])?, text(&joined[colon + 1..])?))
}

fn decoded(part: &[u8]) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    let mut octets = Vec::new();
    let mut at = 0;
    while at < part.len() {
        match part[at] {
            b'%' => {
                octets
                    .push(u8::try_from(digit(part.get(at + 1)?)? * 16 + digit(part.get(at + 2)?)?).unwrap());
                at += 2;
            }
            b'+' => octets.push(b' '),
            octet => octets.push(octet),
        }
        at += 1;
    }
    Some(octets)
}

fn spelled(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

fn base64(octets: &[u8]) -> String {
    let mut text = base64url::encode(octets).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
