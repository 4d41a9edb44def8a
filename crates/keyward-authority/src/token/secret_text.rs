//! Texts that nobody guesses, and what is kept of them.

use aws_lc_rs::digest::{SHA256, digest};
use base64_simd::URL_SAFE_NO_PAD;
use keyward::entropy;
use zeroize::Zeroizing;

/// What an opaque access token begins with, so that whoever looks for leaked secrets knows one.
pub(super) const OPAQUE_PREFIX: &str = "kw_at_";

/// What a refresh token begins with.
pub(super) const REFRESH_PREFIX: &str = "kw_rt_";

/// A name that nobody else has, for all to see: 128 bits, 22 characters of base64url.
pub(super) fn unique_name() -> String {
    URL_SAFE_NO_PAD.encode_to_string(entropy::name())
}

/// A name that nobody else has and nobody guesses: 128 bits, 22 characters of base64url.
pub(super) fn random_name() -> String {
    let secret = Zeroizing::new(entropy::secret());
    let (half, _) = secret.split_at(16);
    URL_SAFE_NO_PAD.encode_to_string(half)
}

/// A secret of 256 bits: 43 characters of base64url.
pub(super) fn random_secret() -> Zeroizing<String> {
    Zeroizing::new(URL_SAFE_NO_PAD.encode_to_string(Zeroizing::new(entropy::secret()).as_slice()))
}

/// What is kept of a secret that nobody guesses: its SHA-256, in base64url.
pub(super) fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, secret.as_bytes()))
}
