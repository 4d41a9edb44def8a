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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_are_who_we_are_and_anything_else_is_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            SecretFile::read(&path).expect("read")
        };
        let made = rcgen::generate_simple_self_signed(["gateway".to_owned()]).expect("a certificate");
        let (pem, key_pem) = (made.cert.pem(), made.signing_key.serialize_pem());
        let (certificate, key) = (read("certificate", &pem), read("key", &key_pem));
        assert_eq!(identity(&certificate, &key).expect("an identity").cert.len(), 1);
        // As the gateway takes them: both in one file.
        let both = read("both", &format!("{key_pem}{pem}"));
        assert!(identity(&both, &both).is_some());
        assert!(identity(&key, &key).is_none() && identity(&certificate, &certificate).is_none());
    }
}
