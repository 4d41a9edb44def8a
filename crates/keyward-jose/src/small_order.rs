//! Ed25519 points of small order (RFC 8032 §5.1.3 decodes them, RFC 7748 §7 warns of their kin).
//!
//! A public key is to be a multiple of the base point, whose order is a large prime. Eight points of the
//! curve have order 1, 2, 4 or 8 instead: there R = A, S = 0 and the like are signatures of any message.

/// The y of each such point, little-endian, the ones at or over the prime spelled both ways.
const SMALL_ORDER: [[u8; 32]; 7] = [
    // Order 4: y = 0.
    [0; 32],
    // Order 1: y = 1.
    between(1, 0, 0),
    // Order 8: y is a root of dy^4 + 2y^2 - 1, and its negative.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    // Order 2: y = p - 1, where p = 2^255 - 19.
    between(0xec, 0xff, 0x7f),
    // Order 4 and 1 again: y = p and p + 1.
    between(0xed, 0xff, 0x7f),
    between(0xee, 0xff, 0x7f),
];

const fn between(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut octets = [middle; 32];
    octets[0] = first;
    octets[31] = last;
    octets
}

/// Whether an encoded point (RFC 8032 §5.1.2) is of small order, whatever the sign of its x.
pub(crate) fn is_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    SMALL_ORDER.contains(&y)
}
