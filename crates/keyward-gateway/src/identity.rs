//! What the service behind the proxy is told of a verified token.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use keyward::Verified;
use serde_json::Value;

use crate::route::IdentityHeader;

/// Puts every identity header into an answer: with the claim's value where this route sends it and the
/// token has it, and empty otherwise, so that a proxy replaces what a client sent under that name.
pub(crate) fn add(
    all: &[HeaderName],
    told: &[IdentityHeader],
    verified: Option<&Verified>,
    headers: &mut HeaderMap,
) {
    for name in all {
        let pointer = told.iter().find(|header| header.name == *name).map(|header| &*header.pointer);
        let value = verified.zip(pointer).and_then(|(verified, pointer)| value(verified, pointer));
        headers.insert(name.clone(), value.unwrap_or(HeaderValue::from_static("")));
    }
}

/// The claim as a header value: a string as it is, in UTF-8; anything else as JSON. None where it would
/// break the header, or arrive as somebody else's: whitespace at the ends is lost on the way (RFC 9110 §5.5).
fn value(verified: &Verified, pointer: &str) -> Option<HeaderValue> {
    let text: Cow<'_, str> = match pointer {
        // The common ones are at hand without reading the claims into a tree.
        "/sub" => verified.subject()?.into(),
        "/iss" => verified.claims().issuer()?.into(),
        _ => match verified.claims().pointer(pointer)? {
            Value::Null => return None,
            Value::String(text) => text.into(),
            value => value.to_string().into(),
        },
    };
    let arrives = text.trim_matches([' ', '\t']).len() == text.len();
    HeaderValue::from_bytes(text.as_bytes()).ok().filter(|_| arrives)
}
