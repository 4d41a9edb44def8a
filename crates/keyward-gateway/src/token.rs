//! The token of a request: in `Authorization`, or in a cookie that the route names.

use http::HeaderMap;
use keyward::wire::{BearerToken, bearer_token};

/// The one token of a request, wherever its route allows it to stand.
pub(crate) fn find<'a>(headers: &'a HeaderMap, cookie: Option<&str>) -> BearerToken<'a> {
    let bearer = bearer_token(headers);
    let Some(name) = cookie else {
        return bearer;
    };
    match (bearer, cookie_value(headers, name)) {
        (BearerToken::Absent, token) | (token, BearerToken::Absent) => token,
        _ => BearerToken::Several,
    }
}

/// The value of the one cookie with this name (RFC 6265 §4.2.1).
fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> BearerToken<'a> {
    let mut values = headers
        .get_all(http::header::COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|octet| *octet == b';'))
        .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .filter(|value| !value.is_empty());
    match (values.next(), values.next()) {
        (None, _) => BearerToken::Absent,
        (Some(value), None) => BearerToken::One(value),
        (Some(_), Some(_)) => BearerToken::Several,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_token_from_one_place() {
        for (authorization, cookies, token) in [
            (None, &[][..], BearerToken::Absent),
            (Some("Bearer a"), &[], BearerToken::One(&b"a"[..])),
            (None, &["x=1; session=b"], BearerToken::One(b"b")),
            (None, &["xsession=c"], BearerToken::Absent),
            (None, &["session="], BearerToken::Absent),
            (Some("Basic z"), &["session=b"], BearerToken::One(b"b")),
            (Some("Bearer a"), &["session=b"], BearerToken::Several),
            (None, &["session=a; session=b"], BearerToken::Several),
            (None, &["session=a", "session=a"], BearerToken::Several),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = authorization {
                headers.insert("authorization", HeaderValue::from_static(value));
            }
            for cookie in cookies {
                headers.append("cookie", HeaderValue::from_static(cookie));
            }
            assert_eq!(find(&headers, Some("session")), token, "{authorization:?} {cookies:?}");
        }
    }
}
