//! The lab's own certificate authority, made when the lab starts, and the certificates of its issuers.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;

use crate::fault::Certificate;

const DAY: i64 = 86_400;

/// The names of every issuer, and where a redirect to another host leads.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// A certificate authority that nobody trusts who was not told to.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: String,
}

/// What an issuer needs to speak TLS, well and badly.
#[derive(Debug)]
pub(crate) struct Certificates {
    good: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
    untrusted: Arc<ServerConfig>,
}

/// A certificate of the lab could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// By rcgen.
    #[error(transparent)]
    Issuing(#[from] rcgen::Error),
    /// The key that rcgen made has no PKCS#8.
    #[error("the key of a certificate has no PKCS#8")]
    Pkcs8,
    /// By rustls.
    #[error(transparent)]
    Serving(#[from] rustls::Error),
}

impl Authority {
    /// The lab's, valid from a day before `wall`, for ten years.
    pub(crate) fn new(wall: i64) -> Result<Self, CertificateError> {
        Self::named("Keyward lab", wall)
    }

    fn named(name: &str, wall: i64) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(wall.saturating_sub(DAY));
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(wall.saturating_add(3650 * DAY));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pem = issuer.pem();
        Ok(Self { issuer, pem })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificates of an issuer.
    pub(crate) fn certificates(&self, wall: i64) -> Result<Certificates, CertificateError> {
        let (from, until) = (wall.saturating_sub(DAY), wall.saturating_add(365 * DAY));
        let yesterday = (wall.saturating_sub(30 * DAY), wall.saturating_sub(DAY));
        Ok(Certificates {
            good: self.server(&NAMES, (from, until))?,
            expired: self.server(&NAMES, yesterday)?,
            wrong_name: self.server(&["another.invalid"], (from, until))?,
            // By another name, or it would look like a bad signature of the lab's own.
            untrusted: Self::named("Nobody in particular", wall)?.server(&NAMES, (from, until))?,
        })
    }

    fn server(
        &self,
        names: &[&str],
        (from, until): (i64, i64),
    ) -> Result<Arc<ServerConfig>, CertificateError> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "Keyward lab issuer");
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| CertificateError::Pkcs8)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl Certificates {
    /// The one of this fault, or the good one.
    pub(crate) fn of(&self, fault: Option<Certificate>) -> Arc<ServerConfig> {
        Arc::clone(match fault {
            None => &self.good,
            Some(Certificate::Expired) => &self.expired,
            Some(Certificate::Untrusted) => &self.untrusted,
            Some(Certificate::WrongName) => &self.wrong_name,
        })
    }
}

/// A Unix time as what to add to rcgen's 1970: not before that year, nor after 9999, in which X.509 ends.
pub(crate) fn since_1970(wall: i64) -> Duration {
    Duration::from_secs(u64::try_from(wall).unwrap_or(0).min(253_402_300_799))
}
