//! Resolves `[gateway.client_certificate]`.

use ipnet::IpNet;
use keyward_server::CertificateHeader;
use keyward_server::certificate_header::HeaderError;
use toml::Spanned;

use super::raw_gateway::RawClientCertificate;
use super::routes::NOT_OURS;
use super::{ConfigError, Source};
use crate::client_certificate::ToldCertificates;

impl Source<'_> {
    /// Whom to believe about clients' certificates.
    pub(super) fn client_certificate(
        &self,
        raw: Option<RawClientCertificate>,
    ) -> Result<Option<ToldCertificates>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let name = raw.header.as_ref().map(|header| header.get_ref().as_str());
        let header = CertificateHeader::new(*raw.from.get_ref(), name, &NOT_OURS).map_err(|error| {
            let place = match (&raw.header, error) {
                (Some(header), HeaderError::Fixed(_) | HeaderError::Unusable) => header.span(),
                _ => raw.from.span(),
            };
            self.error(&place, error.to_string())
        })?;
        if raw.trusted_peers.get_ref().is_empty() {
            let why = "without one, nobody's word counts; write the addresses of your proxies";
            return Err(self.error(&raw.trusted_peers.span(), why));
        }
        let trusted_peers = raw.trusted_peers.get_ref().iter().map(|peer| self.net(peer));
        Ok(Some(ToldCertificates { header, trusted_peers: trusted_peers.collect::<Result<_, _>>()? }))
    }

    /// A net, or one address.
    fn net(&self, text: &Spanned<String>) -> Result<IpNet, ConfigError> {
        keyward_server::net(text.get_ref()).map_err(|error| self.error(&text.span(), error.to_string()))
    }
}
