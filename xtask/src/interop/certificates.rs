//! Certificates of our own making, and the keys in them.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::error::Error;

const DAY: i64 = 86_400;

/// Issues certificates to servers and to their clients.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its private key.
pub(crate) struct Certified {
    /// The certificate, in PEM.
    pub(crate) pem: String,
    /// The private key, in PEM.
    pub(crate) key: String,
    /// The certificate's base64 without PEM's lines, as `x5c` has it.
    pub(crate) base64: String,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut params = named("Keyward interop", now(), 10);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = KeyPair::generate().and_then(|key| CertifiedIssuer::self_signed(params, key));
        Ok(Self { issuer: issuer.map_err(Error::Certificate)? })
    }

    /// Its own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// For a server on 127.0.0.1.
    pub(crate) fn server(&self) -> Result<Certified, Error> {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).map_err(Error::Certificate)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// For a client.
    pub(crate) fn client(&self, name: &str) -> Result<Certified, Error> {
        let mut params = named(name, now(), 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    /// For an issuer's key, for ES256.
    pub(crate) fn signing_key(&self, name: &str) -> Result<Certified, Error> {
        self.issue(named(name, now(), 300))
    }

    fn issue(&self, params: CertificateParams) -> Result<Certified, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(Error::Certificate)?;
        Ok(Certified::new(&certificate, &key))
    }
}

impl Certified {
    /// A key for ES256 with a certificate by itself, as issuers put around their keys, that is over at `until`.
    pub(crate) fn signing_key(name: &str, until: i64) -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate =
            named(name, until - 365 * DAY, 365).self_signed(&key).map_err(Error::Certificate)?;
        Ok(Self::new(&certificate, &key))
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let pem = certificate.pem();
        let base64 = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        Self { pem, key: key.serialize_pem(), base64 }
    }

    /// Both in one text, as HTTP clients take them.
    pub(crate) fn bundle(&self) -> String {
        format!("{}{}", self.pem, self.key)
    }

    /// Writes `<name>.pem` and `<name>.key` into the folder.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<(), Error> {
        write_private(&folder.join(format!("{name}.pem")), &self.pem)?;
        write_private(&folder.join(format!("{name}.key")), &self.key)
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Writes a file for its owner's eyes only.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(Error::io(format!("write {}", path.display())))
}

/// From an hour before `from`, for so many days after it.
fn named(name: &str, from: i64, days: i64) -> CertificateParams {
    let time = |wall: i64| date_time_ymd(1970, 1, 1) + Duration::from_secs(wall.unsigned_abs());
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (time(from - 3600), time(from + days * DAY));
    params
}
