//! What a listener needs for TLS.

use std::path::{Path, PathBuf};

use keyward_x509::{Bundle, BundleLimits, Certificate, Role, TrustStore, Validity};
use rustls::sign::CertifiedKey;
use toml::Spanned;

use super::{ConfigError, FileWarning, Source};
use crate::tls::{self, TlsFault};

const DAY: i64 = 86_400;

/// A certificate that is over within so many days is warned of.
const WARNED_DAYS: i64 = 30;

/// A listener's key, with its chain.
#[derive(Debug)]
pub struct ListenerKey {
    /// With the chain that begins with its certificate.
    pub key: CertifiedKey,
    /// Until when all of the chain is valid, in seconds since 1970.
    pub not_after: i64,
}

impl Source<'_> {
    /// The certificates and the key of a listener. Their files are watched.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn listener_key(
        &mut self,
        certificate_file: &Spanned<PathBuf>,
        key_file: &Spanned<PathBuf>,
        now: i64,
    ) -> Result<ListenerKey, ConfigError> {
        let chain = tls::certificates(&self.read(certificate_file)?)
            .map_err(|fault| self.file_error(certificate_file, fault))?;
        let facts = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
        let facts = facts.map_err(|error| {
            self.file_error(certificate_file, TlsFault::UnusableCertificate(error.to_string()))
        })?;
        let not_after = facts.iter().map(Certificate::not_after).min().unwrap_or(i64::MAX);
        let path = self.file_path(certificate_file.get_ref());
        self.warnings.extend(facts.into_iter().filter_map(|fact| of_validity(&path, fact, now)));
        let pem = self.secret(key_file)?;
        let key = tls::certified_key(chain, &pem.octets).map_err(|fault| match fault {
            TlsFault::UnusableCertificate(_) => self.file_error(certificate_file, fault),
            fault => self.file_error(key_file, fault),
        })?;
        Ok(ListenerKey { key, not_after })
    }

    /// The anchors for certificates of clients, and what chains may lead through.
    ///
    /// # Errors
    /// A file cannot be read, or there is no anchor in any.
    pub fn trust_store(
        &mut self,
        files: &Spanned<Vec<Spanned<PathBuf>>>,
        now: i64,
    ) -> Result<TrustStore, ConfigError> {
        let mut store = TrustStore::builder();
        let mut origins = Vec::new();
        for file in files.get_ref() {
            let path = self.file_path(file.get_ref());
            let bundle = Bundle::parse(&self.read(file)?, BundleLimits::default())
                .map_err(|error| self.file_error(file, error))?;
            self.warnings.extend(bundle.skipped.iter().map(|skipped| FileWarning::Unreadable {
                path: path.clone(),
                place: skipped.index + 1,
                why: skipped.reason,
            }));
            origins.extend(bundle.certificates.iter().map(|certificate| (certificate.clone(), path.clone())));
            store = store.anchors(bundle.certificates);
        }
        let store = store.build(now);
        let none = store.sorted().iter().filter_map(|sorted| match sorted.role {
            Role::Anchor => None,
            Role::Intermediate(why) => Some((&sorted.certificate, why)),
        });
        if store.anchors().next().is_none() {
            let why = none.map(|(certificate, why)| format!("; {certificate}: {why}")).take(3);
            let why = "there is no trust anchor in these files".to_owned() + &why.collect::<String>();
            return Err(self.error(&files.span(), why));
        }
        self.warnings.extend(none.filter_map(|(certificate, why)| {
            let (_, path) = origins.iter().find(|(from, _)| from == certificate)?;
            Some(FileWarning::NoAnchor { path: path.clone(), certificate: certificate.clone(), why })
        }));
        Ok(store)
    }
}

fn of_validity(path: &Path, certificate: Certificate, now: i64) -> Option<FileWarning> {
    let (path, left) = (path.to_owned(), certificate.not_after().saturating_sub(now));
    match certificate.validity(now) {
        Validity::Expired => Some(FileWarning::CertificateExpired { path, certificate, seconds: -left }),
        Validity::NotYetValid => {
            let seconds = certificate.not_before().saturating_sub(now);
            Some(FileWarning::CertificateNotYetValid { path, certificate, seconds })
        }
        Validity::Valid if left / DAY < WARNED_DAYS => {
            Some(FileWarning::CertificateExpires { path, certificate, days: left / DAY })
        }
        Validity::Valid => None,
    }
}
