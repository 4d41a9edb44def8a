//! Who we are in the TLS handshake (RFC 8705 §2).

use std::sync::Arc;

use keyward::credentials::SecretFile;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A client certificate and its key, from what their files hold; none where that is no such thing. That the files are good for it
/// was found by whoever read them first.
pub(super) fn identity(certificate: &SecretFile, key: &SecretFile) -> Option<Arc<CertifiedKey>> {
    let chain = CertificateDer::pem_slice_iter(&certificate.octets).collect::<Result<Vec<_>, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(&key.octets).ok()?;
    let key = any_supported_type(&key).ok()?;
    (!chain.is_empty()).then(|| Arc::new(CertifiedKey::new(chain, key)))
}
