//! Whose certificates a listener asks for.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use keyward_x509::{Certificate, ChainError, PRESENTED_LIMIT, Purpose, Revocation, TrustStore};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::provider;

/// Verifies what clients show. One that does not verify ends the handshake, whether one is needed or not.
pub(crate) struct ClientVerifier {
    /// Sorted anew when an anchor is over, or becomes valid.
    store: ArcSwap<TrustStore>,
    needed: bool,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// By the anchors of this store. Where `needed`, there is no handshake without a certificate.
    pub(crate) fn new(store: TrustStore, needed: bool) -> Self {
        let hints = store.anchors().map(|anchor| anchor.subject_der().to_vec().into()).collect();
        let algorithms = provider().signature_verification_algorithms;
        Self { store: ArcSwap::from_pointee(store), needed, hints, algorithms }
    }

    fn store_at(&self, now: i64) -> Arc<TrustStore> {
        let store = self.store.load_full();
        if store.changes_at().is_none_or(|moment| now < moment) {
            return store;
        }
        let store = Arc::new(store.resorted(now));
        self.store.store(Arc::clone(&store));
        store
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.needed
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if intermediates.len() >= PRESENTED_LIMIT {
            return Err(CertificateError::BadEncoding.into());
        }
        let leaf = Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        let others = intermediates.iter().filter_map(|der| Certificate::from_der(der).ok());
        let presented: Vec<_> = std::iter::once(leaf).chain(others).collect();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let store = self.store_at(now);
        keyward_x509::verify(&store, &presented, Purpose::ClientAuth, now, &Revocation::none())
            .map_err(|error| of_chain(&error))?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier").field("needed", &self.needed).finish_non_exhaustive()
    }
}

/// Without the names of the certificate: it is a stranger's, and the error gets into the log.
fn of_chain(error: &ChainError) -> CertificateError {
    match error {
        ChainError::Expired { .. } => CertificateError::Expired,
        ChainError::KeyUsage { .. } | ChainError::NotForPurpose { .. } => CertificateError::InvalidPurpose,
        ChainError::Malformed { .. } => CertificateError::BadEncoding,
        ChainError::NotYetValid { .. } => CertificateError::NotValidYet,
        ChainError::Revoked { .. } => CertificateError::Revoked,
        _ => CertificateError::UnknownIssuer,
    }
}
