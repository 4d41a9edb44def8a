//! Our certificate and its key, from PEM.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;

/// Why a certificate or a key cannot be used. It shows nothing of what is in a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsFault {
    /// The certificate is another key's, or cannot be told to be this one's.
    #[error("this key is not the one of the certificate")]
    KeyMismatch,
    /// rustls has no use for the key.
    #[error("the key cannot be used for TLS: RSA of 2048 bits and more, P-256, P-384, P-521 and Ed25519 can")]
    KeyUnusable,
    /// There is PEM that does not parse.
    #[error("it is no well-formed PEM")]
    Malformed,
    /// There is no certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// There is no private key.
    #[error("it holds no private key in PEM that is not encrypted")]
    NoKey,
    /// A certificate that is none.
    #[error("a certificate in it cannot be used: {0}")]
    Unusable(String),
}

/// The certificates of a file, in their order.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| TlsFault::Malformed)?;
    if certificates.is_empty() { Err(TlsFault::NoCertificate) } else { Ok(certificates) }
}

/// The key of a file, with the chain that begins with its certificate.
pub(crate) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    pem: &[u8],
) -> Result<CertifiedKey, TlsFault> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| TlsFault::NoKey)?;
    let loaded = provider().key_provider.load_private_key(key).map_err(|_| TlsFault::KeyUnusable)?;
    let certified = CertifiedKey::new(chain, loaded);
    certified.keys_match().map_err(|_| TlsFault::KeyMismatch)?;
    Ok(certified)
}
