//! The lab's own certificate authority, made when the lab starts, and the certificates of its issuers.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::LabError;
use crate::fault::Certificate;

const NAME: &str = "Keyward lab";

const DAY: i64 = 86_400;

/// The names of every issuer, and where a redirect to another host leads.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// Where the authority is kept in a folder.
const CERTIFICATE_FILE: &str = "authority.pem";
const KEY_FILE: &str = "authority.key";

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
        Self::of(NAME, KeyPair::generate()?, wall)
    }

    /// The lab's, with the key that is in this folder, or with a new one that is there from then on: who was told to
    /// trust the certificate of one lab trusts those of the next.
    pub(crate) fn kept_in(folder: &Path, wall: i64) -> Result<Self, LabError> {
        let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| LabError::Folder { path, source }
        };
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let pair = match fs::read_to_string(&key) {
            Ok(pem) => KeyPair::from_pem(&pem).map_err(CertificateError::from)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pair = KeyPair::generate().map_err(CertificateError::from)?;
                write_private(&key, &pair.serialize_pem()).map_err(failed(&key))?;
                pair
            }
            Err(error) => return Err(failed(&key)(error)),
        };
        let authority = Self::of(NAME, pair, wall)?;
        fs::write(&certificate, authority.pem()).map_err(failed(&certificate))?;
        Ok(authority)
    }

    fn of(name: &str, key: KeyPair, wall: i64) -> Result<Self, CertificateError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(wall.saturating_sub(DAY));
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(wall.saturating_add(3650 * DAY));
        let issuer = CertifiedIssuer::self_signed(params, key)?;
        let pem = issuer.pem();
        Ok(Self { issuer, pem })
    }

    /// A certificate of this key, signed by the authority.
    pub(crate) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        Ok(params.signed_by(key, &self.issuer)?.into())
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificates of an issuer.
    pub(crate) fn certificates(&self, wall: i64) -> Result<Certificates, CertificateError> {
        let (from, until) = (wall.saturating_sub(DAY), wall.saturating_add(365 * DAY));
        let yesterday = (wall.saturating_sub(30 * DAY), wall.saturating_sub(DAY));
        // By another name, or it would look like a bad signature of the lab's own.
        let nobody = Self::of("Nobody in particular", KeyPair::generate()?, wall)?;
        Ok(Certificates {
            good: self.server(&NAMES, (from, until))?,
            expired: self.server(&NAMES, yesterday)?,
            wrong_name: self.server(&["another.invalid"], (from, until))?,
            untrusted: nobody.server(&NAMES, (from, until))?,
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

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
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

/// A file that its owner alone reads.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// A Unix time as what to add to rcgen's 1970: not before that year, nor after 9999, in which X.509 ends.
pub(crate) fn since_1970(wall: i64) -> Duration {
    Duration::from_secs(u64::try_from(wall).unwrap_or(0).min(253_402_300_799))
}
