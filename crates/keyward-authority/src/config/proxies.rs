//! Resolves `[authority.proxies]`: whose word counts about who asks.

use std::net::IpAddr;

use ipnet::IpNet;
use toml::Spanned;

use super::raw::RawProxies;
use super::{ConfigError, Source};

/// The proxies that are believed about their clients. By default nobody is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proxies {
    /// By the address of their connection to us.
    pub trusted_peers: Vec<IpNet>,
    /// Whether they tell certificates in `Client-Cert` (RFC 9440).
    pub client_cert: bool,
}

impl Proxies {
    /// Whether whoever is at this address is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_peers.iter().any(|net| net.contains(&address))
    }
}

impl Source<'_> {
    /// Whom to believe about clients.
    pub(super) fn proxies(&self, raw: Option<RawProxies>) -> Result<Proxies, ConfigError> {
        let Some(raw) = raw else {
            return Ok(Proxies::default());
        };
        if raw.trusted_peers.get_ref().is_empty() {
            let why = "without one, nobody's word counts; write the addresses of your proxies";
            return Err(self.error(&raw.trusted_peers.span(), why));
        }
        let trusted_peers = raw.trusted_peers.get_ref().iter().map(|peer| self.net(peer));
        Ok(Proxies { trusted_peers: trusted_peers.collect::<Result<_, _>>()?, client_cert: raw.client_cert })
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
