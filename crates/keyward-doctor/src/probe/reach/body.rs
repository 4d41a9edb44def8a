//! What a body looks like.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use crate::facts::{BodyKind, BodyShape};

/// The shape of `octets`, which are all of it unless it is over the limit.
pub(super) fn shape(headers: &HeaderMap, octets: &[u8], over_limit: bool) -> BodyShape {
    BodyShape { octets: octets.len() as u64, kind: kind(headers, octets, over_limit), over_limit }
}

fn kind(headers: &HeaderMap, octets: &[u8], over_limit: bool) -> BodyKind {
    let text = octets.trim_ascii();
    match text.first() {
        None => BodyKind::Empty,
        // What was not read to its end cannot be told from what is broken.
        Some(b'{') if over_limit => BodyKind::JsonObject,
        Some(b'[') if over_limit => BodyKind::Json,
        Some(_) if is_html(headers, text) => BodyKind::Html,
        Some(first) => match serde_json::from_slice(text) {
            Ok(Value::Object(_)) => BodyKind::JsonObject,
            Ok(_) => BodyKind::Json,
            Err(_) if matches!(first, b'{' | b'[') || says(headers, "json") => BodyKind::JsonBroken,
            Err(_) => BodyKind::Other,
        },
    }
}

fn is_html(headers: &HeaderMap, text: &[u8]) -> bool {
    let begins =
        |with: &str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
    begins("<!doctype html") || begins("<html") || (text.first() == Some(&b'<') && says(headers, "html"))
}

fn says(headers: &HeaderMap, media_type: &str) -> bool {
    let stated = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    stated.is_some_and(|stated| stated.to_ascii_lowercase().contains(media_type))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_body_is_known_by_its_form() {
        for (content_type, body, expected) in [
            ("application/json", "", BodyKind::Empty),
            ("application/json", " \n", BodyKind::Empty),
            ("application/json", r#"{"keys": []}"#, BodyKind::JsonObject),
            ("text/plain", r#" {"keys": []} "#, BodyKind::JsonObject),
            ("application/json", "[]", BodyKind::Json),
            ("application/json", "null", BodyKind::Json),
            ("application/json", r#"{"keys": [{"kty""#, BodyKind::JsonBroken),
            ("application/json", "upstream error", BodyKind::JsonBroken),
            ("text/plain", "upstream error", BodyKind::Other),
            ("text/html", "<h1>502</h1>", BodyKind::Html),
            ("application/json", "<!DOCTYPE html><title>x</title>", BodyKind::Html),
            ("application/xml", "<error/>", BodyKind::Other),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(shape(&headers, body.as_bytes(), false).kind, expected, "{content_type} {body:?}");
        }
        assert_eq!(shape(&HeaderMap::new(), br#"{"keys": ["#, true).kind, BodyKind::JsonObject);
    }
}
