//! The URI of a request, in the one spelling that others are compared by (RFC 3986 §6.2.2 and §6.2.3).

/// `uri` without query and fragment, normalized: the scheme and the host in lower case, no default port, no dot segments,
/// `/` for an empty path, percent-encoding in upper case and only where it is needed.
///
/// None where it is no absolute `http` or `https` URI with a host: one with user information is none (RFC 9110 §4.2.4).
/// What a path may not hold and clients send all the same, such as `|` and characters beyond ASCII, counts as
/// percent-encoded; white space, control characters and `\` make it none.
pub fn normalized(uri: &str) -> Option<String> {
    let (scheme, rest) = without_query(uri).split_once("://")?;
    let default_port = match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => 443,
        _ if scheme.eq_ignore_ascii_case("http") => 80,
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut text = String::with_capacity(uri.len() + 1);
    text.push_str(scheme);
    text.make_ascii_lowercase();
    text.push_str("://");
    push_authority(authority, default_port, &mut text)?;
    push_path(path, &mut text)?;
    Some(text)
}

/// What stands before query and fragment.
pub(super) fn without_query(uri: &str) -> &str {
    uri.split(['?', '#']).next().unwrap_or_default()
}

fn push_authority(authority: &str, default_port: u16, text: &mut String) -> Option<()> {
    // The colons of an IPv6 address stand within brackets.
    let host_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = authority.get(host_end..)?.find(':').map(|place| host_end + place);
    let (host, port) = match colon {
        Some(colon) => (authority.get(..colon)?, authority.get(colon + 1..)?),
        None => (authority, ""),
    };
    push_host(host, text)?;
    if port.is_empty() {
        return Some(());
    }
    // `parse` would take a sign.
    let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|_| is_number)?;
    if port != default_port {
        text.push(':');
        text.push_str(&port.to_string());
    }
    Some(())
}

fn push_host(host: &str, text: &mut String) -> Option<()> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok()?;
        text.push('[');
        text.push_str(&address.to_string());
        text.push(']');
        return Some(());
    }
    if host.is_empty() {
        return None;
    }
    for octet in Octets::of(host) {
        match octet? {
            Octet::Plain(plain) if is_unreserved(plain) || is_sub_delimiter(plain) => {
                text.push(char::from(plain.to_ascii_lowercase()));
            }
            Octet::Plain(_) => return None,
            Octet::Encoded(encoded) => push_encoded(encoded, text),
        }
    }
    Some(())
}

fn push_path(path: &str, text: &mut String) -> Option<()> {
    // Mostly nothing about it can be spelt otherwise.
    if !path.is_empty() && path.bytes().all(is_of_path) && !path.contains("/.") {
        text.push_str(path);
        return Some(());
    }
    let mut spelt = String::with_capacity(path.len());
    for octet in Octets::of(path) {
        match octet? {
            Octet::Plain(plain) if is_of_path(plain) => spelt.push(char::from(plain)),
            Octet::Plain(b'\\' | 0..=b' ' | 0x7f) => return None,
            Octet::Plain(other) | Octet::Encoded(other) => push_encoded(other, &mut spelt),
        }
    }
    push_without_dots(&spelt, text);
    Some(())
}

/// RFC 3986 §5.2.4, over the segments of a path that begins with `/` or is empty.
fn push_without_dots(path: &str, text: &mut String) {
    let mut segments = Vec::new();
    let mut ends_in_dots = false;
    for segment in path.split('/').skip(1) {
        ends_in_dots = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    if segments.is_empty() || ends_in_dots {
        segments.push("");
    }
    for segment in segments {
        text.push('/');
        text.push_str(segment);
    }
}

fn push_encoded(octet: u8, text: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    text.extend(['%', digit(octet >> 4), digit(octet & 15)]);
}

/// RFC 3986 §3.3, and what stands between segments.
fn is_of_path(octet: u8) -> bool {
    is_unreserved(octet) || is_sub_delimiter(octet) || b":@/".contains(&octet)
}

/// RFC 3986 §2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

/// RFC 3986 §2.2.
fn is_sub_delimiter(octet: u8) -> bool {
    b"!$&'()*+,;=".contains(&octet)
}

/// An octet, and whether it has to stay percent-encoded.
enum Octet {
    Encoded(u8),
    Plain(u8),
}

/// The octets that a text stands for; one that is encoded and need not be is plain. None where `%` is followed by
/// something else than two digits.
struct Octets<'a>(std::slice::Iter<'a, u8>);

impl<'a> Octets<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.as_bytes().iter())
    }

    fn digit(&mut self) -> Option<u8> {
        let digit = char::from(*self.0.next()?).to_digit(16)?;
        u8::try_from(digit).ok()
    }
}

impl Iterator for Octets<'_> {
    type Item = Option<Octet>;

    fn next(&mut self) -> Option<Option<Octet>> {
        let octet = *self.0.next()?;
        if octet != b'%' {
            return Some(Some(Octet::Plain(octet)));
        }
        let pair = self.digit().zip(self.digit());
        Some(pair.map(|(high, low)| match high << 4 | low {
            plain if is_unreserved(plain) => Octet::Plain(plain),
            encoded => Octet::Encoded(encoded),
        }))
    }
}
