//! Resolves `[authority.tls]`.

use std::path::PathBuf;
use std::sync::Arc;

use keyward_server::config::ListenerKey;
use toml::Spanned;

use super::raw::{RawAsked, RawTls};
use super::{ConfigError, Source};
use crate::tls::{Asks, ClientAnchors, ListenerTls};

impl Source<'_> {
    /// What the listener needs for TLS.
    pub(super) fn tls(&mut self, raw: Option<RawTls>, now: i64) -> Result<Option<ListenerTls>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let ListenerKey { key, not_after } = self.listener_key(&raw.certificate_file, &raw.key_file, now)?;
        let asks = match raw.client_certificate.unwrap_or_default() {
            RawAsked::None => Asks::Nobody,
            RawAsked::Optional => Asks::Optionally,
            RawAsked::Required => Asks::Everybody,
        };
        let anchors =
            raw.client_ca_files.as_ref().map(|files| self.client_anchors(files, now)).transpose()?;
        let tls = ListenerTls::new(key, asks, anchors, not_after);
        tls.map(Some).map_err(|error| self.error(&raw.certificate_file.span(), error.to_string()))
    }

    /// The anchors for certificates of clients, and what chains may lead through.
    pub(super) fn client_anchors(
        &mut self,
        files: &Spanned<Vec<Spanned<PathBuf>>>,
        now: i64,
    ) -> Result<Arc<ClientAnchors>, ConfigError> {
        Ok(Arc::new(ClientAnchors::new(self.trust_store(files, now)?)))
    }
}
