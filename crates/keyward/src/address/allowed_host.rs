//! A host that an operator allows beyond the rules.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::uri::Authority;
use url::{Host, Url};

/// A host, and one port of it or all: `keys.example`, `10.0.0.7`, `[::1]`, `keys.example:8443`. It stands for
/// itself: not for its subdomains, and a name not for its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    host: Host,
    port: Option<u16>,
}

/// A text names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no host; write one such as \"keys.example\", \"10.0.0.7\" or \"keys.example:8443\"")]
pub struct NoHost;

impl AllowedHost {
    /// The host of an address, at every port; none where it has no host.
    pub fn of(url: &Url) -> Option<Self> {
        Some(Self { host: url.host()?.to_owned(), port: None })
    }

    /// Whether `url` is at this host.
    pub fn covers(&self, url: &Url) -> bool {
        let is_port = self.port.is_none_or(|port| url.port_or_known_default() == Some(port));
        is_port && url.host().is_some_and(|host| host == self.host)
    }

    /// Whether `url` is at one of these hosts.
    pub fn any_covers(hosts: &[Self], url: &Url) -> bool {
        hosts.iter().any(|host| host.covers(url))
    }
}

impl FromStr for AllowedHost {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let host = match address {
                IpAddr::V4(address) => Host::Ipv4(address),
                IpAddr::V6(address) => Host::Ipv6(address),
            };
            return Ok(Self { host, port: None });
        }
        let authority: Authority = text.parse().map_err(|_| NoHost)?;
        let port = authority.port_u16();
        // A user, a pattern, and a port that is none are read by nobody: better said than passed over.
        let is_whole = authority.as_str().len() == authority.host().len() + port_length(&authority);
        if !is_whole || authority.host().contains('*') || (port.is_none() && port_length(&authority) > 0) {
            return Err(NoHost);
        }
        Ok(Self { host: Host::parse(authority.host()).map_err(|_| NoHost)?, port })
    }
}

/// How many octets of an authority are its port, colon included.
fn port_length(authority: &Authority) -> usize {
    authority.port().map_or(0, |port| port.as_str().len() + 1)
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_itself_and_nothing_else() {
        for (allowed, url, covered) in [
            ("keys.example", "https://keys.example/jwks", true),
            ("keys.example", "https://keys.example:8443/jwks", true),
            ("KEYS.example", "https://keys.example/jwks", true),
            ("keys.example", "https://www.keys.example/jwks", false),
            ("keys.example", "https://keys.example.org/jwks", false),
            ("keys.example", "https://keys.example./jwks", false),
            ("keys.example:443", "https://keys.example/jwks", true),
            ("keys.example:8443", "https://keys.example:8443/jwks", true),
            ("keys.example:8443", "https://keys.example/jwks", false),
            ("10.0.0.7", "https://10.0.0.7/jwks", true),
            ("10.0.0.7", "https://10.0.0.8/jwks", false),
            ("127.0.0.1", "https://127.1/jwks", true),
            ("::1", "https://[::1]:8443/jwks", true),
            ("[::1]:8443", "https://[::1]:8443/jwks", true),
            ("[::1]:8443", "https://[::1]/jwks", false),
        ] {
            let host: AllowedHost = allowed.parse().expect(allowed);
            assert_eq!(host.covers(&Url::parse(url).expect(url)), covered, "{allowed} {url}");
            assert_eq!(host.to_string().parse(), Ok(host), "{allowed}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in [
            "",
            "https://keys.example",
            "keys.example/",
            "keys.example/jwks",
            "*.example",
            "*",
            "user@keys.example",
            "keys.example:",
            "keys.example:99999",
            "keys.example:x",
            "a b",
            "[::1",
            "10.0.0.0/8",
        ] {
            assert_eq!(text.parse::<AllowedHost>(), Err(NoHost), "{text:?}");
        }
    }
}
