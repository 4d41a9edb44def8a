//! A document that anybody may keep for a while (RFC 9111), and need not send for again (RFC 9110 §13.1.2).

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::signing::JWK_SET_MAX_AGE;

/// Answers with a document of JSON, or with 304 where `headers` say that its sender has it. `tag` is of this very text.
pub(super) fn cached(headers: &HeaderMap, tag: &str, body: Bytes) -> Response {
    let etag = format!("\"{tag}\"");
    let mut answer = if has(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
    };
    for (name, value) in [(ETAG, etag), (CACHE_CONTROL, format!("public, max-age={JWK_SET_MAX_AGE}"))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Whether `If-None-Match` names it, weakly or not.
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let named = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut named = named.flat_map(|value| value.split(',')).map(str::trim);
    named.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_is_not_sent_again() {
        let status = |sent: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(IF_NONE_MATCH, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let answer = cached(&headers, "tag", Bytes::from_static(b"{}"));
            assert_eq!(answer.headers()[ETAG], "\"tag\"");
            assert_eq!(answer.headers()[CACHE_CONTROL], "public, max-age=300");
            answer.status()
        };
        for has in
            [&["\"tag\""][..], &["*"], &["W/\"tag\""], &["\"old\", \"tag\""], &["\"old\"", "W/\"tag\""]]
        {
            assert_eq!(status(has), StatusCode::NOT_MODIFIED, "{has:?}");
        }
        for has_not in [&[][..], &["\"old\""], &["tag"], &["\"tag"], &["\u{e9}"], &[""]] {
            assert_eq!(status(has_not), StatusCode::OK, "{has_not:?}");
        }
    }
}
