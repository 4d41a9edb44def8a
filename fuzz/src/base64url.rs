//! Base64url by the letter of RFC 4648 §5, bit by bit: slow, and nothing like the one under test.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The octets of a canonical, unpadded text.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bits = Vec::with_capacity(text.len() * 6);
    for letter in text {
        let value = ALPHABET.iter().position(|known| known == letter)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1 == 1));
    }
    let (octets, rest) = bits.as_chunks::<8>();
    let canonical = rest.len() < 6 && rest.iter().all(|bit| !bit);
    let octet = |bits: &[bool; 8]| bits.iter().fold(0, |octet, bit| octet << 1 | u8::from(*bit));
    canonical.then(|| octets.iter().map(octet).collect())
}

/// The canonical text of `octets`.
pub(crate) fn encode(octets: &[u8]) -> String {
    let mut bits: Vec<bool> =
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect();
    bits.resize(bits.len().next_multiple_of(6), false);
    let letter = |bits: &[bool]| bits.iter().fold(0, |value, bit| value << 1 | usize::from(*bit));
    bits.chunks(6).map(|bits| char::from(ALPHABET[letter(bits)])).collect()
}
