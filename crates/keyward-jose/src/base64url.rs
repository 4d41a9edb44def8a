//! Base64url without padding, in its one canonical form (RFC 7515 §2, RFC 4648 §3.5).
//!
//! Padding, white space, characters of the other alphabet and non-zero trailing bits are all refused: two
//! texts never decode to the same octets.

use base64_simd::URL_SAFE_NO_PAD;

/// The text was not canonical unpadded base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64Url;

/// Appends the octets that `text` stands for to `octets`.
pub(crate) fn decode_append(text: &[u8], octets: &mut Vec<u8>) -> Result<(), NotBase64Url> {
    URL_SAFE_NO_PAD.decode_append(text, octets).map_err(|_| NotBase64Url)
}

/// The octets that `text` stands for.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| NotBase64Url)
}

/// The canonical text of `octets`.
pub(crate) fn encode(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

/// How many characters so many octets take at most.
pub(crate) const fn encoded_length(octets: usize) -> usize {
    octets.div_ceil(3).saturating_mul(4)
}

/// Appends the canonical text of `octets` to `text`.
pub(crate) fn encode_append(octets: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(octets, text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_every_second_spelling() {
        assert_eq!(decode(b"Zg"), Ok(b"f".to_vec()));
        assert_eq!(decode(b"Zm8"), Ok(b"fo".to_vec()));
        for text in
            ["Zg==", "Zh", "Zm9", "Zm8=", "Z", "Zg\n", " Zg", "Z g", "Zm9v+w", "Zm9v/w", "Zm9v\0w", "Zm9vé"]
        {
            assert_eq!(decode(text.as_bytes()), Err(NotBase64Url), "{text:?}");
        }
    }

    proptest! {
        /// What decodes is exactly what encodes, at every length that a vector register splits.
        #[test]
        fn one_text_for_one_value(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = encode(&octets);
            prop_assert_eq!(decode(text.as_bytes()), Ok(octets));
        }

        #[test]
        fn what_decodes_is_canonical(text in "[A-Za-z0-9_+/=-]{0,80}") {
            if let Ok(octets) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&octets), text);
            }
        }
    }
}
