//! The pieces of signed DER, without a look at what they mean.

use x509_parser::asn1_rs::{Any, FromDer};

/// What an issuer signed, by which algorithm, and the signature (RFC 5280 §4.1).
pub(crate) struct SignedDer<'a> {
    pub(crate) signed: &'a [u8],
    /// The contents of the AlgorithmIdentifier, without its tag and length.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> SignedDer<'a> {
    /// None where these octets are no certificate and no CRL.
    pub(crate) fn of(der: &'a [u8]) -> Option<Self> {
        let (_, outer) = Any::from_der(der).ok()?;
        let contents = outer.data;
        let (rest, _) = Any::from_der(contents).ok()?;
        let (signed, _) = contents.split_at_checked(contents.len().checked_sub(rest.len())?)?;
        let (rest, algorithm) = Any::from_der(rest).ok()?;
        let (_, signature) = Any::from_der(rest).ok()?;
        Some(Self { signed, algorithm: algorithm.data, signature: whole_octets(signature.data)? })
    }
}

/// A public key and its algorithm (RFC 5280 §4.1.2.7).
pub(crate) struct PublicKeyDer<'a> {
    /// The contents of the AlgorithmIdentifier, without its tag and length.
    pub(crate) algorithm: &'a [u8],
    pub(crate) key: &'a [u8],
}

impl<'a> PublicKeyDer<'a> {
    /// None where these octets are no SubjectPublicKeyInfo.
    pub(crate) fn of(spki: &'a [u8]) -> Option<Self> {
        let (_, outer) = Any::from_der(spki).ok()?;
        let (rest, algorithm) = Any::from_der(outer.data).ok()?;
        let (_, key) = Any::from_der(rest).ok()?;
        Some(Self { algorithm: algorithm.data, key: whole_octets(key.data)? })
    }

    /// Whether both are the same key. An RSA key may be marked as one for RSASSA-PSS (RFC 4055 §1.2), or lack the
    /// NULL that belongs to it, and still be the same.
    pub(crate) fn is(&self, other: &PublicKeyDer<'_>) -> bool {
        self.key == other.key && (self.algorithm == other.algorithm || self.is_rsa() && other.is_rsa())
    }

    fn is_rsa(&self) -> bool {
        self.algorithm.starts_with(RSA_ENCRYPTION) || self.algorithm.starts_with(RSASSA_PSS)
    }
}

/// 1.2.840.113549.1.1.1 and 1.2.840.113549.1.1.10.
const RSA_ENCRYPTION: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSASSA_PSS: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];

/// The contents of a BIT STRING that ends with a whole octet.
fn whole_octets(contents: &[u8]) -> Option<&[u8]> {
    contents.split_first().filter(|(unused_bits, _)| **unused_bits == 0).map(|(_, octets)| octets)
}
