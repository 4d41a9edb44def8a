//! Resolves `[gateway.client_certificate]`.

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
        let header = self.certificate_header(&raw.from, raw.header.as_ref(), &NOT_OURS)?;
        Ok(Some(ToldCertificates { header, trusted_peers: self.trusted_peers(&raw.trusted_peers)? }))
    }
}
