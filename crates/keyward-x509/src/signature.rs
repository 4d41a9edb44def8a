//! Whether a key signed a certificate.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

use crate::Certificate;
use crate::der::{PublicKeyDer, SignedDer};

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    Invalid,
    Unsupported,
}

/// Whether this key signed the certificate, by one of the algorithms that chains are verified by.
pub(crate) fn check(certificate: &Certificate, spki: &[u8]) -> Result<(), SignatureFault> {
    let signed = SignedDer::of(certificate.der()).ok_or(SignatureFault::Invalid)?;
    let key = PublicKeyDer::of(spki).ok_or(SignatureFault::Invalid)?;
    webpki::ALL_VERIFICATION_ALGS
        .iter()
        .find(|algorithm| {
            *algorithm.signature_alg_id() == *signed.algorithm
                && *algorithm.public_key_alg_id() == *key.algorithm
        })
        .ok_or(SignatureFault::Unsupported)?
        .verify_signature(key.key, signed.signed, signed.signature)
        .map_err(|_| SignatureFault::Invalid)
}

/// Whether the certificate's own key signed it.
///
/// Here SHA-1 will do: who declares a root says that he knows it, and its signature adds only that the holder of
/// its key made it. A fifth of the public roots are of that age. No chain is verified by SHA-1.
pub(crate) fn check_own(certificate: &Certificate) -> Result<(), SignatureFault> {
    let found = check(certificate, certificate.spki());
    if found != Err(SignatureFault::Unsupported) {
        return found;
    }
    let signed = SignedDer::of(certificate.der()).ok_or(SignatureFault::Invalid)?;
    let key = PublicKeyDer::of(certificate.spki()).ok_or(SignatureFault::Invalid)?;
    if signed.algorithm != SHA1_WITH_RSA {
        return found;
    }
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key.key)
        .verify(signed.signed, signed.signature)
        .map_err(|_| SignatureFault::Invalid)
}

/// 1.2.840.113549.1.1.5 and its NULL (RFC 3279 §2.2.1).
const SHA1_WITH_RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0];
