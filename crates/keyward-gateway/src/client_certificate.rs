//! The client's certificate as a proxy tells it, which shook hands with the client in our place.

use http::HeaderMap;
use ipnet::IpNet;
use keyward::binding::CertificateThumbprint;
use keyward_server::CertificateHeader;
use keyward_server::certificate_header::Malformed;

use crate::connection::Connection;

/// Which proxies tell of their clients' certificates, and how.
#[derive(Debug)]
pub struct ToldCertificates {
    /// Where it stands.
    pub(crate) header: CertificateHeader,
    /// Who is believed. What anybody else says there is not looked at.
    pub(crate) trusted_peers: Vec<IpNet>,
}

impl ToldCertificates {
    /// The certificate of whoever sent the request; none where nobody showed one.
    ///
    /// A trusted peer speaks for others: the certificate that it showed to us is its own, and never its clients'.
    pub(crate) fn certificate_of(
        &self,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<Option<CertificateThumbprint>, Malformed> {
        let is_trusted =
            connection.peer.is_some_and(|peer| self.trusted_peers.iter().any(|net| net.contains(&peer)));
        if !is_trusted {
            return Ok(connection.certificate);
        }
        Ok(self.header.told(headers)?.map(|told| told.thumbprint))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::HeaderValue;
    use keyward_server::certificate_header::Form;

    use super::*;

    fn told() -> ToldCertificates {
        let trusted_peers = vec!["10.0.0.0/8".parse().expect("a net"), "::1/128".parse().expect("a net")];
        let header = CertificateHeader::new(Form::Xfcc, None, &[]).expect("a header");
        ToldCertificates { header, trusted_peers }
    }

    fn from(peer: &str) -> Connection {
        let peer: IpAddr = peer.parse().expect("an address");
        Connection { peer: Some(peer), certificate: Some(CertificateThumbprint([7; 32])) }
    }

    #[test]
    fn whoever_is_not_trusted_shows_its_own_certificate_and_tells_none() {
        let hash = HeaderValue::from_str(&format!("Hash={}", "ab".repeat(32))).expect("a value");
        let headers = HeaderMap::from_iter([(told().header.name().clone(), hash)]);
        let of = |peer| told().certificate_of(&headers, &from(peer));
        for peer in ["10.1.2.3", "::1"] {
            assert_eq!(of(peer), Ok(Some(CertificateThumbprint([0xab; 32]))));
        }
        for peer in ["11.0.0.1", "::2", "127.0.0.1"] {
            assert_eq!(of(peer), Ok(Some(CertificateThumbprint([7; 32]))));
        }
        assert_eq!(told().certificate_of(&headers, &Connection::default()), Ok(None));
    }

    #[test]
    fn the_certificate_of_a_trusted_proxy_is_not_its_clients() {
        let of = |headers: &HeaderMap| told().certificate_of(headers, &from("10.0.0.1"));
        assert_eq!(of(&HeaderMap::new()), Ok(None));
        let empty = HeaderMap::from_iter([(told().header.name().clone(), HeaderValue::from_static(""))]);
        assert_eq!(of(&empty), Ok(None));
    }
}
