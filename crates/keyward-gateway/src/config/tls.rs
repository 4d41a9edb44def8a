//! Resolves `[gateway.tls]` and `[gateway.admin_tls]`.

use std::sync::Arc;

use keyward::clock::{Clock as _, SystemClock};
use keyward_server::config::ListenerKey;
use toml::Spanned;

use super::raw_gateway::{RawAsked, RawTls};
use super::{ConfigError, Source};
use crate::tls::{ClientVerifier, ListenerTls};

impl Source<'_> {
    /// What a listener needs for TLS. Its files are watched: a change of one makes a new configuration.
    pub(super) fn tls(&mut self, raw: Option<RawTls>) -> Result<Option<ListenerTls>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let now = SystemClock::new().now().wall.0;
        let ListenerKey { key, not_after } = self.listener_key(&raw.certificate_file, &raw.key_file, now)?;
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
        let tls = ListenerTls::new(key, clients, not_after);
        tls.map(Some).map_err(|error| self.error(&raw.certificate_file.span(), error.to_string()))
    }

    fn no_client_ca(&self, raw: &RawTls) -> ConfigError {
        let place = raw.client_certificate.as_ref().map_or(raw.certificate_file.span(), Spanned::span);
        self.error(&place, "whose certificates? Name the files with their authorities in client_ca_files")
    }
}
