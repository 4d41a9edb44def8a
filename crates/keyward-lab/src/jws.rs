//! Compact JWS (RFC 7515 §3.1), written.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;

pub(crate) fn base64url(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// What is signed: header and payload with a dot between them.
pub(crate) fn signing_input(header: &Value, payload: &[u8]) -> String {
    let mut input = base64url(header.to_string().as_bytes());
    input.push('.');
    URL_SAFE_NO_PAD.encode_append(payload, &mut input);
    input
}

/// The token.
pub(crate) fn compact(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    URL_SAFE_NO_PAD.encode_append(signature, &mut signing_input);
    signing_input
}

/// The parts of a token that somebody sent: what was signed, the payload and the signature.
pub(crate) fn parts(token: &str) -> Option<(&str, Vec<u8>, Vec<u8>)> {
    let (input, signature) = token.rsplit_once('.')?;
    let (_, payload) = input.split_once('.')?;
    Some((input, from_base64url(payload)?, from_base64url(signature)?))
}
