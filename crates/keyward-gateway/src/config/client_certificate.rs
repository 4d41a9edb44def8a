//! Resolves `[gateway.client_certificate]`.

use std::net::IpAddr;

use http::HeaderName;
use ipnet::IpNet;
use toml::Spanned;

use super::raw_gateway::{RawClientCertificate, RawFrom};
use super::routes::NOT_OURS;
use super::{ConfigError, Source};
use crate::client_certificate::{CertificateHeader, Form};

impl Source<'_> {
    /// Whom to believe about clients' certificates.
    pub(super) fn client_certificate(
        &self,
        raw: Option<RawClientCertificate>,
    ) -> Result<Option<CertificateHeader>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let (form, own) = match raw.from.get_ref() {
            RawFrom::ClientCert => (Form::ClientCert, Some("client-cert")),
            RawFrom::Nginx => (Form::Nginx, None),
            RawFrom::Traefik => (Form::Traefik, Some("x-forwarded-tls-client-cert")),
            RawFrom::Xfcc => (Form::Xfcc, Some("x-forwarded-client-cert")),
        };
        let name = match (own, &raw.header) {
            (Some(own), None) => HeaderName::from_static(own),
            (Some(own), Some(header)) => {
                let why = format!("this proxy's header is always {own}; only nginx's has to be named");
                return Err(self.error(&header.span(), why));
            }
            (None, Some(header)) => HeaderName::try_from(header.get_ref().as_str())
                .ok()
                .filter(|name| !NOT_OURS.contains(&name.as_str()))
                .ok_or_else(|| self.error(&header.span(), "this is no header for a certificate"))?,
            (None, None) => {
                let why = "nginx has no header of its own for this; name in header the one that your \
                           configuration puts $ssl_client_escaped_cert into";
                return Err(self.error(&raw.from.span(), why));
            }
        };
        if raw.trusted_peers.get_ref().is_empty() {
            let why = "without one, nobody's word counts; write the addresses of your proxies";
            return Err(self.error(&raw.trusted_peers.span(), why));
        }
        let trusted_peers = raw.trusted_peers.get_ref().iter().map(|peer| self.net(peer));
        Ok(Some(CertificateHeader { name, form, trusted_peers: trusted_peers.collect::<Result<_, _>>()? }))
    }

    /// A net, or one address.
    fn net(&self, text: &Spanned<String>) -> Result<IpNet, ConfigError> {
        let net =
            text.get_ref().parse::<IpNet>().or_else(|_| text.get_ref().parse::<IpAddr>().map(IpNet::from));
        let net = net.map_err(|_| {
            self.error(&text.span(), "this is no net; write one such as \"10.0.0.0/8\" or \"::1\"")
        })?;
        if net.addr() == net.network() {
            return Ok(net);
        }
        let why = format!(
            "this address is within a net; write {} for the net, or leave the length out",
            net.trunc()
        );
        Err(self.error(&text.span(), why))
    }
}
