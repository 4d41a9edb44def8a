//! Resolves `[gateway.tls]` and `[gateway.admin_tls]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward::clock::{Clock as _, SystemClock};
use keyward::credentials::SecretFile;
use keyward_server::tls::{self, TlsFault};
use keyward_x509::{Bundle, BundleLimits, Certificate, Role, TrustStore, Validity};
use toml::Spanned;

use super::raw_gateway::{RawAsked, RawTls};
use super::{ConfigError, ConfigWarning, Source};
use crate::tls::{ClientVerifier, ListenerTls};

const DAY: i64 = 86_400;

/// A certificate that is over within so many days is warned of.
const WARNED_DAYS: i64 = 30;

impl Source<'_> {
    /// What a listener needs for TLS. Its files are watched: a change of one makes a new configuration.
    pub(super) fn tls(&mut self, raw: Option<RawTls>) -> Result<Option<ListenerTls>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let now = SystemClock::new().now().wall.0;
        let chain = self.read(&raw.certificate_file)?;
        let chain =
            tls::certificates(&chain).map_err(|fault| self.tls_fault(&raw.certificate_file, &fault))?;
        let facts = chain.iter().map(|der| Certificate::from_der(der));
        let facts: Vec<_> = facts.collect::<Result<_, _>>().map_err(|error| {
            self.tls_fault(&raw.certificate_file, &TlsFault::UnusableCertificate(error.to_string()))
        })?;
        self.warn_of_validity(&raw.certificate_file, &facts, now);
        let pem = self.secret(&raw.key_file)?;
        let key = tls::certified_key(chain, &pem.octets).map_err(|fault| match fault {
            TlsFault::UnusableCertificate(_) => self.tls_fault(&raw.certificate_file, &fault),
            fault => self.tls_fault(&raw.key_file, &fault),
        })?;
        let asked = raw.client_certificate.as_ref().map_or(RawAsked::None, |asked| *asked.get_ref());
        let clients = match (asked, &raw.client_ca_files) {
            (RawAsked::None, None) => None,
            (RawAsked::None, Some(files)) => {
                let why = "these verify nothing: client_certificate says whether clients are asked for one, \
                           \"optional\" or \"required\"";
                return Err(self.error(&files.span(), why));
            }
            (_, Some(files)) if !files.get_ref().is_empty() => {
                let store = self.trust_store(files, now)?;
                Some(Arc::new(ClientVerifier::new(store, asked == RawAsked::Required)))
            }
            (..) => return Err(self.no_client_ca(&raw)),
        };
        let not_after = facts.iter().map(Certificate::not_after).min().unwrap_or(i64::MAX);
        let tls = ListenerTls::new(key, clients, not_after);
        tls.map(Some).map_err(|error| self.error(&raw.certificate_file.span(), error.to_string()))
    }

    fn warn_of_validity(&mut self, file: &Spanned<PathBuf>, chain: &[Certificate], now: i64) {
        let path = self.folder.join(file.get_ref());
        self.warnings.extend(chain.iter().filter_map(|certificate| of_validity(&path, certificate, now)));
    }

    /// The anchors for certificates of clients, and what chains may lead through.
    fn trust_store(
        &mut self,
        files: &Spanned<Vec<Spanned<PathBuf>>>,
        now: i64,
    ) -> Result<TrustStore, ConfigError> {
        let mut store = TrustStore::builder();
        let mut origins = Vec::new();
        for file in files.get_ref() {
            let path = self.folder.join(file.get_ref());
            let bundle = self.read(file)?;
            let bundle = Bundle::parse(&bundle, BundleLimits::default())
                .map_err(|error| self.error(&file.span(), format!("{}: {error}", path.display())))?;
            self.warnings.extend(bundle.skipped.iter().map(|skipped| ConfigWarning::Unreadable {
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
            Some(ConfigWarning::NoAnchor { path: path.clone(), certificate: certificate.clone(), why })
        }));
        Ok(store)
    }

    /// A file with a secret, which is watched.
    pub(super) fn secret(&mut self, path: &Spanned<PathBuf>) -> Result<SecretFile, ConfigError> {
        let full = self.folder.join(path.get_ref());
        let secret = SecretFile::read(&full).map_err(|error| self.error(&path.span(), error.to_string()));
        self.files.push(full);
        let secret = secret?;
        self.warnings.extend(secret.warning.clone().map(ConfigWarning::Secret));
        Ok(secret)
    }

    fn no_client_ca(&self, raw: &RawTls) -> ConfigError {
        let place = raw.client_certificate.as_ref().map_or(raw.certificate_file.span(), Spanned::span);
        self.error(&place, "whose certificates? Name the files with their authorities in client_ca_files")
    }

    fn tls_fault(&self, file: &Spanned<PathBuf>, fault: &TlsFault) -> ConfigError {
        self.error(&file.span(), format!("{}: {fault}", self.folder.join(file.get_ref()).display()))
    }
}

fn of_validity(path: &Path, certificate: &Certificate, now: i64) -> Option<ConfigWarning> {
    let (path, certificate) = (path.to_owned(), certificate.clone());
    let left = certificate.not_after().saturating_sub(now);
    match certificate.validity(now) {
        Validity::Expired => Some(ConfigWarning::CertificateExpired { path, certificate, seconds: -left }),
        Validity::NotYetValid => {
            let seconds = certificate.not_before().saturating_sub(now);
            Some(ConfigWarning::CertificateNotYetValid { path, certificate, seconds })
        }
        Validity::Valid if left / DAY < WARNED_DAYS => {
            Some(ConfigWarning::CertificateExpires { path, certificate, days: left / DAY })
        }
        Validity::Valid => None,
    }
}
