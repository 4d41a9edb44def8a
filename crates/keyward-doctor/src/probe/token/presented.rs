//! What a token was handed in with and should not be.

use std::borrow::Cow;

/// So many wrappings are taken off.
const LAYERS: usize = 4;

/// The token alone, and what was around it, in words. The end of the line is no wrapping.
pub(super) fn unwrapped(handed_in: &[u8]) -> (Cow<'_, [u8]>, Option<String>) {
    let mut token = handed_in.trim_ascii();
    let mut around: Vec<&'static str> = Vec::new();
    let mut schemes = 0_u32;
    for _ in 0..LAYERS {
        let Some((inner, what)) = layer(token) else {
            break;
        };
        if what == BEARER {
            schemes += 1;
        }
        if !around.contains(&what) {
            around.push(what);
        }
        token = inner.trim_ascii();
    }
    if schemes > 1 {
        around.retain(|what| *what != BEARER);
        around.push("its scheme twice (Bearer Bearer)");
    }
    if token.iter().any(u8::is_ascii_whitespace) {
        around.push("spaces or line breaks inside");
        let joined: Vec<u8> = token.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
        return (joined.into(), Some(around.join(", ")));
    }
    (token.into(), (!around.is_empty()).then(|| around.join(", ")))
}

const BEARER: &str = "its scheme (Bearer)";

fn layer(token: &[u8]) -> Option<(&[u8], &'static str)> {
    if let Some(inner) = without_prefix(token, b"authorization:") {
        return Some((inner, "the name of the header"));
    }
    for scheme in [&b"bearer "[..], b"dpop "] {
        if let Some(inner) = without_prefix(token, scheme) {
            return Some((inner, BEARER));
        }
    }
    for quote in [b"\"", b"'", b"`"] {
        if let Some(inner) = token.strip_prefix(quote).and_then(|token| token.strip_suffix(quote)) {
            return Some((inner, "quotes"));
        }
    }
    // Two headers become one with a comma (RFC 9110 §5.3), and no token has one.
    let comma = token.iter().position(|octet| *octet == b',')?;
    let (first, second) = token.split_at(comma);
    let second = second.get(1..).unwrap_or_default().trim_ascii();
    let second = without_prefix(second, b"bearer ").unwrap_or(second);
    let is_same = first.trim_ascii() == second.trim_ascii();
    Some((first, if is_same { "itself twice, with a comma" } else { "another one after a comma" }))
}

fn without_prefix<'a>(token: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = token.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_token_is_taken_off_and_told() {
        for (handed_in, token, around) in [
            ("a.b.c\n", "a.b.c", None),
            ("", "", None),
            ("\"a.b.c\"", "a.b.c", Some("quotes")),
            ("Bearer a.b.c", "a.b.c", Some("its scheme (Bearer)")),
            ("Bearer Bearer a.b.c", "a.b.c", Some("its scheme twice (Bearer Bearer)")),
            (
                "Authorization: bearer 'a.b.c'",
                "a.b.c",
                Some("the name of the header, its scheme (Bearer), quotes"),
            ),
            ("a.b.c, a.b.c", "a.b.c", Some("itself twice, with a comma")),
            ("Bearer a.b.c,Bearer a.b.c", "a.b.c", Some("its scheme (Bearer), itself twice, with a comma")),
            ("a.b.c,d.e.f", "a.b.c", Some("another one after a comma")),
            ("a.b\n  .c", "a.b.c", Some("spaces or line breaks inside")),
            ("\"", "\"", None),
        ] {
            let (unwrapped, what) = unwrapped(handed_in.as_bytes());
            assert_eq!((&*unwrapped, what.as_deref()), (token.as_bytes(), around), "{handed_in:?}");
        }
    }
}
