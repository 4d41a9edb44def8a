//! A listener's certificate and its key, from PEM.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroize as _;

use super::{TlsFault, provider};

/// The label of an encrypted key (RFC 7468 §11), and the header of openssl's older way.
const ENCRYPTED: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];

/// The certificates of a file, in their order.
///
/// # Errors
/// [`TlsFault::Malformed`] and [`TlsFault::NoCertificate`].
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| TlsFault::Malformed)?;
    if certificates.is_empty() { Err(TlsFault::NoCertificate) } else { Ok(certificates) }
}

/// The key of a file, with the chain that begins with its certificate.
///
/// # Errors
/// [`TlsFault`], of the key; [`TlsFault::UnusableCertificate`] is of the certificate.
pub fn certified_key(chain: Vec<CertificateDer<'static>>, pem: &[u8]) -> Result<CertifiedKey, TlsFault> {
    if ENCRYPTED.iter().any(|mark| pem.windows(mark.len()).any(|octets| octets == *mark)) {
        return Err(TlsFault::Encrypted);
    }
    let mut keys = PrivateKeyDer::pem_slice_iter(pem);
    let key = match (keys.next(), keys.next()) {
        (None, _) => return Err(TlsFault::NoKey),
        (Some(Ok(key)), None) => key,
        (Some(Ok(mut key)), Some(second)) => {
            key.zeroize();
            let _ = second.map(|mut second| second.zeroize());
            return Err(TlsFault::SeveralKeys);
        }
        (Some(Err(_)), _) => return Err(TlsFault::Malformed),
    };
    let loaded = provider().key_provider.load_private_key(key).map_err(|_| TlsFault::KeyUnusable)?;
    let certified = CertifiedKey::new(chain, loaded);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(TlsFault::KeyMismatch),
        // A key whose public half is not known cannot be told to be the right one.
        Err(Error::InconsistentKeys(_)) => Err(TlsFault::KeyUnusable),
        Err(error) => Err(TlsFault::UnusableCertificate(error.to_string())),
    }
}
