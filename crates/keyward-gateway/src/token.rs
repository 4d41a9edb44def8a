//! The token of a request: in `Authorization`, or in a cookie that the route names.

use http::HeaderMap;
use keyward::binding::Scheme;
use keyward::wire::{AccessToken, access_token};

/// The one token of a request, wherever its route allows it to stand. Where DPoP is not `understood`, a token of that
/// scheme is none, as with any other scheme.
pub(crate) fn find<'a>(headers: &'a HeaderMap, cookie: Option<&str>, understood: bool) -> AccessToken<'a> {
    let sent = match access_token(headers) {
        AccessToken::One { scheme: Scheme::Dpop, .. } if !understood => AccessToken::Absent,
        sent => sent,
    };
    let Some(name) = cookie else {
        return sent;
    };
    match (sent, cookie_value(headers, name)) {
        (AccessToken::Absent, token) | (token, AccessToken::Absent) => token,
        _ => AccessToken::Several,
    }
}

/// The value of the one cookie with this name (RFC 6265 §4.2.1). It stands alone, as a bearer token does.
fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> AccessToken<'a> {
    let mut values = headers
        .get_all(http::header::COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|octet| *octet == b';'))
        .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter(|value| !value.is_empty());
    match (values.next(), values.next()) {
        (None, _) => AccessToken::Absent,
        (Some(token), None) => AccessToken::One { scheme: Scheme::Bearer, token },
        (Some(_), Some(_)) => AccessToken::Several,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_token_from_one_place() {
        let by = |scheme, token| AccessToken::One { scheme, token };
        let bearer = |token| by(Scheme::Bearer, token);
        for (authorization, cookies, token) in [
            (None, &[][..], AccessToken::Absent),
            (Some("Bearer a"), &[], bearer(&b"a"[..])),
            (Some("DPoP a"), &[], by(Scheme::Dpop, b"a")),
            (None, &["x=1; session=b"], bearer(b"b")),
            (None, &["xsession=c"], AccessToken::Absent),
            (None, &["session="], AccessToken::Absent),
            (Some("Basic z"), &["session=b"], bearer(b"b")),
            (Some("Bearer a"), &["session=b"], AccessToken::Several),
            (Some("DPoP a"), &["session=b"], AccessToken::Several),
            (None, &["session=a; session=b"], AccessToken::Several),
            (None, &["session=a", "session=a"], AccessToken::Several),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.insert("authorization", HeaderValue::from_static(value));
            }
            for cookie in cookies {
                headers.append("cookie", HeaderValue::from_static(cookie));
            }
            assert_eq!(find(&headers, Some("session"), true), token, "{authorization:?} {cookies:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_token() {
        let headers = [("authorization", "DPoP a"), ("cookie", "session=b")];
        let headers =
            headers.map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(headers);
        assert_eq!(find(&headers, None, false), AccessToken::Absent);
        let of_cookie = AccessToken::One { scheme: Scheme::Bearer, token: b"b" };
        assert_eq!(find(&headers, Some("session"), false), of_cookie);
    }
}
