//! Compact JWS (RFC 7515 §3.1), written and taken apart.

use base64_simd::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::plan::Algorithm;

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

/// A token that somebody sent, taken apart.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// What was signed.
    pub(crate) input: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
}

impl<'a> Received<'a> {
    /// None where it is no JWS, or of an algorithm that the lab has not.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, payload) = input.split_once('.')?;
        let Header { alg, kid } = serde_json::from_slice(&from_base64url(header)?).ok()?;
        let (payload, signature) = (from_base64url(payload)?, from_base64url(signature)?);
        Some(Self { algorithm: alg, kid, input, payload, signature })
    }
}
