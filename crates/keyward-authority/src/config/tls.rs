//! Resolves `[authority.tls]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward_server::tls::{self, TlsFault};
use keyward_x509::{Bundle, BundleLimits, Certificate, Role, TrustStore, Validity};
use toml::Spanned;

use super::raw::{RawAsked, RawTls};
use super::{ConfigError, ConfigWarning, Source};
use crate::tls::{Asks, ClientAnchors, ListenerTls};

const DAY: i64 = 86_400;

/// A certificate that is over within so many days is warned of.
const WARNED_DAYS: i64 = 30;

impl Source<'_> {
    /// What the listener needs for TLS.
    pub(super) fn tls(&mut self, raw: Option<RawTls>, now: i64) -> Result<Option<ListenerTls>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let file = &raw.certificate_file;
        let chain = tls::certificates(&self.read(file)?).map_err(|fault| self.fault(file, &fault))?;
        let facts = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
        let facts =
            facts.map_err(|error| self.fault(file, &TlsFault::UnusableCertificate(error.to_string())))?;
        let path = self.folder.join(file.get_ref());
        let not_after = facts.iter().map(Certificate::not_after).min().unwrap_or(i64::MAX);
        self.warnings
            .extend(facts.into_iter().filter_map(|certificate| of_validity(&path, certificate, now)));
        let pem = self.secret(&raw.key_file)?;
        let key = tls::certified_key(chain, &pem.octets).map_err(|fault| match fault {
            TlsFault::UnusableCertificate(_) => self.fault(file, &fault),
            fault => self.fault(&raw.key_file, &fault),
        })?;
        let asks = match raw.client_certificate.unwrap_or_default() {
            RawAsked::None => Asks::Nobody,
            RawAsked::Optional => Asks::Optionally,
            RawAsked::Required => Asks::Everybody,
        };
        let anchors =
            raw.client_ca_files.as_ref().map(|files| self.client_anchors(files, now)).transpose()?;
        let tls = ListenerTls::new(key, asks, anchors, not_after);
        tls.map(Some).map_err(|error| self.error(&file.span(), error.to_string()))
    }

    /// The anchors for certificates of clients, and what chains may lead through.
    pub(super) fn client_anchors(
        &mut self,
        files: &Spanned<Vec<Spanned<PathBuf>>>,
        now: i64,
    ) -> Result<Arc<ClientAnchors>, ConfigError> {
        let mut store = TrustStore::builder();
        let mut origins = Vec::new();
        for file in files.get_ref() {
            let path = self.folder.join(file.get_ref());
            let bundle = Bundle::parse(&self.read(file)?, BundleLimits::default())
                .map_err(|error| self.error(&file.span(), format!("{}: {error}", path.display())))?;
            origins.extend(bundle.certificates.iter().map(|certificate| (certificate.clone(), path.clone())));
            store = store.anchors(bundle.certificates);
        }
        let store = store.build(now);
        if store.anchors().next().is_none() {
            return Err(self.error(&files.span(), "there is no trust anchor in these files"));
        }
        self.warnings.extend(store.sorted().iter().filter_map(|sorted| match sorted.role {
            Role::Anchor => None,
            Role::Intermediate(why) => {
                let (_, path) = origins.iter().find(|(from, _)| *from == sorted.certificate)?;
                let certificate = sorted.certificate.clone();
                Some(ConfigWarning::NoAnchor { path: path.clone(), certificate, why })
            }
        }));
        Ok(Arc::new(ClientAnchors::new(store)))
    }

    fn fault(&self, file: &Spanned<PathBuf>, fault: &TlsFault) -> ConfigError {
        self.error(&file.span(), format!("{}: {fault}", self.folder.join(file.get_ref()).display()))
    }
}

fn of_validity(path: &Path, certificate: Certificate, now: i64) -> Option<ConfigWarning> {
    let (path, left) = (path.to_owned(), certificate.not_after().saturating_sub(now));
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
