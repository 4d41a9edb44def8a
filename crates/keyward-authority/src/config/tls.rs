//! Resolves `[authority.tls]`.

use std::path::PathBuf;
use std::sync::Arc;

use keyward::clock::{Clock as _, SystemClock};
use keyward_x509::{Bundle, BundleLimits, Certificate, Role, TrustStore};
use toml::Spanned;

use super::raw::{RawAsked, RawTls};
use super::{ConfigError, ConfigWarning, Source};
use crate::tls::{self, Asks, ClientAnchors, ListenerTls, TlsFault};

const DAY: i64 = 86_400;

/// A certificate that is over within so many days is warned of.
const WARNED_DAYS: i64 = 30;

impl Source<'_> {
    /// What the listener needs for TLS.
    pub(super) fn tls(&mut self, raw: Option<RawTls>) -> Result<Option<ListenerTls>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let now = SystemClock::new().now().wall.0;
        let file = &raw.certificate_file;
        let chain = tls::certificates(&self.read(file)?).map_err(|fault| self.fault(file, &fault))?;
        let facts = chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
        let facts = facts.map_err(|error| self.fault(file, &TlsFault::Unusable(error.to_string())))?;
        let path = self.folder.join(file.get_ref());
        self.warnings.extend(facts.into_iter().filter_map(|certificate| {
            let days = certificate.not_after().saturating_sub(now).div_euclid(DAY);
            let path = path.clone();
            (days < WARNED_DAYS).then_some(ConfigWarning::CertificateExpires { path, certificate, days })
        }));
        let pem = self.secret(&raw.key_file)?;
        let key =
            tls::certified_key(chain, &pem.octets).map_err(|fault| self.fault(&raw.key_file, &fault))?;
        let asks = match raw.client_certificate.unwrap_or_default() {
            RawAsked::None => Asks::Nobody,
            RawAsked::Optional => Asks::Optionally,
            RawAsked::Required => Asks::Everybody,
        };
        let anchors = match &raw.client_ca_files {
            None => None,
            Some(files) => Some(Arc::new(ClientAnchors::new(self.trust_store(files, now)?))),
        };
        let tls = ListenerTls::new(key, asks, anchors);
        tls.map(Some).map_err(|error| self.error(&file.span(), error.to_string()))
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
        Ok(store)
    }

    fn read(&self, path: &Spanned<PathBuf>) -> Result<Vec<u8>, ConfigError> {
        let full = self.folder.join(path.get_ref());
        std::fs::read(&full)
            .map_err(|error| self.error(&path.span(), format!("{} cannot be read: {error}", full.display())))
    }

    fn fault(&self, file: &Spanned<PathBuf>, fault: &TlsFault) -> ConfigError {
        self.error(&file.span(), format!("{}: {fault}", self.folder.join(file.get_ref()).display()))
    }
}
