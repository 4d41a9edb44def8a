//! Resolves `[authority.proxies]`: whose word counts about who asks.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use keyward_server::CertificateHeader;

use super::raw::{RawProxies, RawToldCertificate};
use super::{ConfigError, Source};
use crate::tls::ClientAnchors;

/// Headers that we read for something else, or that say how a request is read.
const TAKEN: [&str; 11] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dpop",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "x-forwarded-for",
];

/// The proxies that are believed about their clients. By default nobody is.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// By the address of their connection to us.
    pub trusted_peers: Vec<IpNet>,
    /// How they tell certificates; none where they do not.
    pub(crate) client_certificate: Option<ToldCertificates>,
}

/// How proxies tell their clients' certificates, and what leads these to a trust anchor.
#[derive(Clone, Debug)]
pub(crate) struct ToldCertificates {
    pub(crate) header: CertificateHeader,
    pub(crate) anchors: Option<Arc<ClientAnchors>>,
}

impl Proxies {
    /// Whether whoever is at this address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_peers.iter().any(|net| net.contains(&address))
    }
}

impl Source<'_> {
    /// Whom to believe about clients.
    pub(super) fn proxies(&mut self, raw: Option<RawProxies>, now: i64) -> Result<Proxies, ConfigError> {
        let Some(raw) = raw else {
            return Ok(Proxies::default());
        };
        let trusted_peers = self.trusted_peers(&raw.trusted_peers)?;
        let told = raw.client_certificate.map(|raw| self.told_certificates(&raw, now)).transpose()?;
        Ok(Proxies { trusted_peers, client_certificate: told })
    }

    fn told_certificates(
        &mut self,
        raw: &RawToldCertificate,
        now: i64,
    ) -> Result<ToldCertificates, ConfigError> {
        let header = self.certificate_header(&raw.from, raw.header.as_ref(), &TAKEN)?;
        let anchors =
            raw.client_ca_files.as_ref().map(|files| self.client_anchors(files, now)).transpose()?;
        Ok(ToldCertificates { header, anchors })
    }
}
