//! Whose certificates a listener asks for.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use keyward_server::tls::provider;
use keyward_x509::{Certificate, ChainError, PRESENTED_LIMIT, Purpose, Revocation, TrustStore};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

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
        ChainError::UnknownIssuer { .. } => CertificateError::UnknownIssuer,
        error => CertificateError::Other(OtherError(Arc::new(Refused(error.label())))),
    }
}

/// Why a certificate is refused for which rustls has no word: the label of the [`ChainError`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(&'static str);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;

    const YEAR: i32 = 2030;

    /// The first of January of a year.
    fn at(year: i32) -> UnixTime {
        let seconds = rcgen::date_time_ymd(year, 1, 1).unix_timestamp();
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).expect("after 1970")))
    }

    fn params(name: &str, from: i32, until: i32) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params
    }

    fn authority(from: i32, until: i32) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = params("clients", from, until);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
    }

    fn client(authority: &CertifiedIssuer<'static, KeyPair>) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        params("alice", 2000, 2100).signed_by(&key, authority).expect("a certificate").into()
    }

    fn verifier(authority: &CertifiedIssuer<'static, KeyPair>, now: UnixTime) -> ClientVerifier {
        let anchor = Certificate::from_der(authority.der()).expect("a certificate");
        let now = i64::try_from(now.as_secs()).expect("a time");
        ClientVerifier::new(TrustStore::builder().anchors([anchor]).build(now), true)
    }

    #[test]
    fn an_anchor_is_one_within_its_time_whenever_the_store_was_made() {
        let authority = authority(YEAR, YEAR + 10);
        let client = client(&authority);
        let verifier = verifier(&authority, at(YEAR - 1));
        let verify = |year| verifier.verify_client_cert(&client, &[], at(year)).map(drop);
        let refused = |error: CertificateError| Err(error.into());
        assert_eq!(verify(YEAR - 1), refused(CertificateError::NotValidYet));
        assert_eq!(verify(YEAR + 1), Ok(()));
        assert_eq!(verify(YEAR + 11), refused(CertificateError::Expired));
    }

    #[test]
    fn a_refusal_names_what_is_wrong_and_not_whom() {
        let authority = authority(YEAR, YEAR + 10);
        let verifier = verifier(&authority, at(YEAR));
        let error = verifier.verify_client_cert(authority.der(), &[], at(YEAR)).expect_err("a CA's");
        let Error::InvalidCertificate(CertificateError::Other(why)) = error else { panic!("{error}") };
        assert_eq!(why.to_string(), "ca_as_leaf");
    }

    #[test]
    fn what_is_no_certificate_or_too_many_is_refused() {
        let authority = authority(YEAR, YEAR + 10);
        let (client, verifier) = (client(&authority), verifier(&authority, at(YEAR)));
        let junk = CertificateDer::from(vec![0x30, 0x03, 0x02, 0x01, 0x01]);
        assert!(verifier.verify_client_cert(&junk, &[], at(YEAR)).is_err());
        let many = |number| vec![junk.clone(); number];
        assert!(verifier.verify_client_cert(&client, &many(PRESENTED_LIMIT), at(YEAR)).is_err());
        assert!(verifier.verify_client_cert(&client, &many(PRESENTED_LIMIT - 1), at(YEAR)).is_ok());
    }
}
