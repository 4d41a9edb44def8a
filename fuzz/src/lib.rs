//! One function a parser: it takes any octets and panics where the parser broke a promise.
//!
//! `cargo xtask fuzz NAME` runs them under libFuzzer, `cargo test` on the corpus in fuzz/corpus. The oracles
//! know the promises from a second reading: `serde_json::Value` for JSON, and a base64url of their own.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how an oracle speaks"
)]

mod assertion;
mod base64url;
mod basic;
mod claims;
mod dpop;
mod form;
mod introspection;
mod jwk_set;
mod key_file;
mod realm_file;
mod token;
mod trace_context;
mod uploaded_key;
mod x509;

pub use assertion::assertion;
pub use basic::basic;
pub use claims::claims;
pub use dpop::dpop;
pub use form::form;
pub use introspection::introspection;
pub use jwk_set::jwk_set;
pub use key_file::key_file;
pub use realm_file::realm_file;
pub use token::token;
pub use trace_context::trace_context;
pub use uploaded_key::uploaded_key;
pub use x509::x509;

/// A refusal holds no word of what was refused.
fn shows_nothing(data: &[u8], message: &str) {
    // Longer than any word of a message of ours.
    let words = data.split(|octet| !octet.is_ascii_alphanumeric()).filter(|word| word.len() > 16);
    for word in words.filter_map(|word| std::str::from_utf8(word).ok()) {
        assert!(!message.contains(word), "{word} is shown");
    }
}

/// Whether a member name stands twice in `json`: what `serde_json::Value` cannot say, since its last value
/// wins.
fn repeats_a_name(json: &[u8]) -> bool {
    use keyward_jose::json::{JsonError, check_unique_names};
    check_unique_names(json) == Err(JsonError::DuplicateName)
}
