//! Whose word counts about who asks.

use ipnet::IpNet;
use toml::Spanned;

use super::net::net;
use super::{ConfigError, Source};
use crate::CertificateHeader;
use crate::certificate_header::{Form, HeaderError};

impl Source<'_> {
    /// The proxies that are believed, by their addresses.
    ///
    /// # Errors
    /// There is none, or one is no net.
    pub fn trusted_peers(&self, peers: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<IpNet>, ConfigError> {
        if peers.get_ref().is_empty() {
            let why = "without one, nobody's word counts; write the addresses of your proxies";
            return Err(self.error(&peers.span(), why));
        }
        let peer = |text: &Spanned<String>| {
            net(text.get_ref()).map_err(|error| self.error(&text.span(), error.to_string()))
        };
        peers.get_ref().iter().map(peer).collect()
    }

    /// The header in which they tell their clients' certificates; none of those that are `taken`.
    ///
    /// # Errors
    /// The header cannot be that.
    pub fn certificate_header(
        &self,
        from: &Spanned<Form>,
        header: Option<&Spanned<String>>,
        taken: &[&str],
    ) -> Result<CertificateHeader, ConfigError> {
        let name = header.map(|header| header.get_ref().as_str());
        CertificateHeader::new(*from.get_ref(), name, taken).map_err(|error| {
            let place = match (header, error) {
                (Some(header), HeaderError::Fixed(_) | HeaderError::Unusable) => header.span(),
                _ => from.span(),
            };
            self.error(&place, error.to_string())
        })
    }
}
