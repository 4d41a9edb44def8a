//! A reason on the wire: the one place that makes HTTP of it (RFC 6750 §3).

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, StatusCode};
use keyward_verify::{Reason, ReasonKind};

/// After how many seconds a client may ask again, where we could not decide.
pub const RETRY_AFTER_SECONDS: u32 = 5;

/// The status that stands for a reason.
pub const fn status(reason: Reason) -> StatusCode {
    match reason.kind() {
        ReasonKind::BadRequest => StatusCode::BAD_REQUEST,
        ReasonKind::Forbidden => StatusCode::FORBIDDEN,
        ReasonKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ReasonKind::Undecided => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The `error` of RFC 6750 §3.1 and RFC 6749 §5.2 that stands for a reason.
pub const fn error_code(reason: Reason) -> &'static str {
    match reason.kind() {
        ReasonKind::BadRequest => "invalid_request",
        ReasonKind::Forbidden => "insufficient_scope",
        ReasonKind::Unauthenticated => "invalid_token",
        ReasonKind::Undecided => "temporarily_unavailable",
    }
}

/// The challenge of RFC 6750 §3. Where no token was sent it names no error (§3.1); where we could not
/// decide there is none, for another token would not help.
pub fn challenge(reason: Reason, scopes: &[Box<str>]) -> Option<Cow<'static, str>> {
    if reason.is_undecided() {
        return None;
    }
    if reason == Reason::MissingToken {
        return Some(Cow::Borrowed("Bearer"));
    }
    let (error, description) = (error_code(reason), reason.description());
    let mut challenge = format!(r#"Bearer error="{error}", error_description="{description}""#);
    if reason == Reason::InsufficientScope && !scopes.is_empty() {
        challenge.push_str(r#", scope=""#);
        challenge.push_str(&scopes.join(" "));
        challenge.push('"');
    }
    Some(Cow::Owned(challenge))
}

/// Adds the headers that an answer with this reason has: `WWW-Authenticate` or `Retry-After`, and
/// `Cache-Control: no-store`.
pub fn add_headers(reason: Reason, scopes: &[Box<str>], headers: &mut HeaderMap) {
    use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match challenge(reason, scopes).map(|challenge| HeaderValue::from_str(&challenge)) {
        Some(Ok(challenge)) => {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        Some(Err(_)) => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        None => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
    }
}

/// The JSON body of an answer with this reason. `correlation_id` must need no escape.
pub fn body(reason: Reason, correlation_id: Option<&str>) -> String {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        error: &'static str,
        reason: &'static str,
        description: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        correlation_id: Option<&'a str>,
    }
    let body = Body {
        error: error_code(reason),
        reason: reason.label(),
        description: reason.description(),
        correlation_id,
    };
    serde_json::to_string(&body).unwrap_or_default()
}

/// The tokens of a request's `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerToken<'a> {
    /// None was sent by this way.
    Absent,
    /// One was sent.
    One(&'a [u8]),
    /// More than one was sent, which RFC 6750 §2 forbids.
    Several,
}

/// The bearer token of `Authorization` (RFC 6750 §2.1). Another scheme counts as no token; more than one field,
/// whatever its scheme, as several: who comes behind us may read the other one (RFC 9110 §5.3).
pub fn bearer_token(headers: &HeaderMap) -> BearerToken<'_> {
    let mut fields = headers.get_all(http::header::AUTHORIZATION).iter();
    match (fields.next(), fields.next()) {
        (None, _) => BearerToken::Absent,
        (Some(field), None) => strip_bearer(field.as_bytes()).map_or(BearerToken::Absent, BearerToken::One),
        (Some(_), Some(_)) => BearerToken::Several,
    }
}

/// What follows the scheme, whose case does not matter (RFC 9110 §11.1).
fn strip_bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"Bearer";
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    match rest {
        [] if scheme.eq_ignore_ascii_case(SCHEME) => Some(rest),
        [b' ', ..] if scheme.eq_ignore_ascii_case(SCHEME) => Some(rest.trim_ascii_start()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_an_answer_that_blames_the_right_party() {
        for reason in Reason::ALL.iter().copied() {
            let mut headers = HeaderMap::new();
            add_headers(reason, &["read".into()], &mut headers);
            let status = status(reason);
            assert_eq!(headers.contains_key("retry-after"), status == StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(headers.contains_key("www-authenticate"), status != StatusCode::SERVICE_UNAVAILABLE);
            assert!(body(reason, None).contains(reason.label()));
        }
        let challenge = challenge(Reason::InsufficientScope, &["read".into(), "write".into()]);
        let challenge = challenge.expect("a challenge");
        assert!(
            challenge.contains(r#"error="insufficient_scope""#)
                && challenge.ends_with(r#"scope="read write""#)
        );
    }

    #[test]
    fn finds_the_one_bearer_token() {
        let headers = |values: &[&'static str]| {
            values
                .iter()
                .map(|value| (http::header::AUTHORIZATION, HeaderValue::from_static(value)))
                .collect::<HeaderMap>()
        };
        for (values, token) in [
            (&[][..], BearerToken::Absent),
            (&["Basic YTpi"], BearerToken::Absent),
            (&["Bearerabc"], BearerToken::Absent),
            (&["Bearer abc"], BearerToken::One(b"abc")),
            (&["bEARER   abc"], BearerToken::One(b"abc")),
            (&["Bearer"], BearerToken::One(b"")),
            (&["Basic YTpi", "Bearer abc"], BearerToken::Several),
            (&["Bearer abc", "Bearer abc"], BearerToken::Several),
        ] {
            assert_eq!(bearer_token(&headers(values)), token, "{values:?}");
        }
    }
}
