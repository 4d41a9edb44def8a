//! Digests of texts.

use aws_lc_rs::digest::{SHA256, digest};
use base64_simd::URL_SAFE_NO_PAD;

/// 128 bits of a SHA-256, in base64url: enough to tell texts of ours apart, and no proof of anything.
pub(crate) fn short(text: &[u8]) -> String {
    let whole = digest(&SHA256, text);
    URL_SAFE_NO_PAD.encode_to_string(whole.as_ref().get(..16).unwrap_or_default())
}
