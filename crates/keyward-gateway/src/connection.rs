//! What is known of a connection before its first request.

use std::net::{IpAddr, SocketAddr};

use keyward::binding::CertificateThumbprint;

/// Who is at the other end. By default nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connection {
    /// The other end of the TCP connection.
    pub(crate) peer: Option<IpAddr>,
    /// The client's certificate, where our own TLS asked for one and verified it.
    pub(crate) certificate: Option<CertificateThumbprint>,
}

impl Connection {
    /// One without TLS.
    pub(crate) fn plain(peer: SocketAddr) -> Self {
        Self { peer: Some(canonical(peer)), certificate: None }
    }

    /// One with TLS; `certificate` is the client's, in DER.
    pub(crate) fn tls(peer: SocketAddr, certificate: Option<&[u8]>) -> Self {
        let certificate = certificate.map(CertificateThumbprint::of_der);
        Self { peer: Some(canonical(peer)), certificate }
    }
}

/// An IPv4 address is the same one where the listener is of IPv6 (RFC 4291 §2.5.5.2).
fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_the_same_on_a_listener_of_ipv6() {
        let mapped = Connection::plain("[::ffff:10.0.0.1]:4711".parse().expect("an address"));
        assert_eq!(mapped, Connection::plain("10.0.0.1:80".parse().expect("an address")));
    }
}
