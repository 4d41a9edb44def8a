//! The client's certificate as a proxy tells it, which shook hands with the client in our place.

mod client_cert;
mod escaped;
mod traefik;
mod xfcc;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use keyward::binding::CertificateThumbprint;
use keyward_x509::Certificate;

use crate::connection::Connection;

/// No header with a certificate is longer: one of RSA 4096 with many names takes 4 KiB, and percent-encoded half more.
/// A chain beside it fits, too.
const HEADER_OCTETS: usize = 16 * 1024;

/// Which proxies tell of their clients' certificates, and how.
#[derive(Debug)]
pub struct CertificateHeader {
    /// Its name.
    pub(crate) name: HeaderName,
    /// How the certificate stands in it.
    pub(crate) form: Form,
    /// Who is believed. What anybody else says there is not looked at.
    pub(crate) trusted_peers: Vec<IpNet>,
}

/// How a certificate stands in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `Client-Cert` of RFC 9440 §2.2.
    ClientCert,
    /// nginx's `$ssl_client_escaped_cert`.
    Nginx,
    /// Traefik's `X-Forwarded-Tls-Client-Cert`.
    Traefik,
    /// Envoy's `x-forwarded-client-cert`.
    Xfcc,
}

/// A trusted proxy's header that comes twice, or from which no certificate can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl CertificateHeader {
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
        let mut values = headers.get_all(&self.name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            // Some proxies send it empty where there is none.
            (Some(value), None) if value.is_empty() || value == self.form.nothing() => Ok(None),
            (Some(value), None) if value.len() <= HEADER_OCTETS => self.form.read(value.as_bytes()).map(Some),
            _ => Err(Malformed),
        }
    }
}

impl Form {
    /// What a proxy writes that always writes something.
    const fn nothing(self) -> &'static str {
        match self {
            Self::ClientCert => "::",
            Self::Nginx | Self::Traefik | Self::Xfcc => "",
        }
    }

    fn read(self, value: &[u8]) -> Result<CertificateThumbprint, Malformed> {
        match self {
            Self::ClientCert => client_cert::read(value),
            Self::Nginx => escaped::pem(value),
            Self::Traefik => traefik::read(value),
            Self::Xfcc => xfcc::read(value),
        }
    }
}

/// The thumbprint of what really is a certificate.
fn of_der(der: &[u8]) -> Result<CertificateThumbprint, Malformed> {
    let certificate = Certificate::from_der(der).map_err(|_| Malformed)?;
    Ok(CertificateThumbprint(*certificate.thumbprint_sha256()))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const FORMS: [Form; 4] = [Form::ClientCert, Form::Nginx, Form::Traefik, Form::Xfcc];

    /// A word of one of the forms, or an octet.
    fn fragment() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            &b":"[..],
            b",",
            b";",
            b"=",
            b"\"",
            b"\\\"",
            b"%",
            b"%2",
            b"%41",
            b"%0A",
            b"MIIB",
            b"AAAA",
            b"Hash=",
            b"hash=\"ab",
            b"Cert=",
            b"-----BEGIN CERTIFICATE-----",
            b"-----END CERTIFICATE-----",
            b"\n",
            b" ",
        ];
        prop_oneof![
            3 => prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
            1 => any::<u8>().prop_map(|octet| vec![octet]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_header_makes_it_panic(fragments in prop::collection::vec(fragment(), 0..32)) {
            let value = fragments.concat();
            for form in FORMS {
                // A hash is no certificate; of the others nothing here is one.
                prop_assert!(form.read(&value).is_err() || form == Form::Xfcc);
            }
        }
    }

    fn header() -> CertificateHeader {
        let trusted_peers = vec!["10.0.0.0/8".parse().expect("a net"), "::1/128".parse().expect("a net")];
        let name = HeaderName::from_static("x-forwarded-client-cert");
        CertificateHeader { name, form: Form::Xfcc, trusted_peers }
    }

    fn from(peer: &str) -> Connection {
        let peer: IpAddr = peer.parse().expect("an address");
        Connection { peer: Some(peer), certificate: Some(CertificateThumbprint([7; 32])) }
    }

    #[test]
    fn whoever_is_not_trusted_shows_its_own_certificate_and_tells_none() {
        let hash = HeaderValue::from_str(&format!("Hash={}", "ab".repeat(32))).expect("a value");
        let headers = HeaderMap::from_iter([(header().name, hash)]);
        let told = |peer| header().certificate_of(&headers, &from(peer));
        for peer in ["10.1.2.3", "::1"] {
            assert_eq!(told(peer), Ok(Some(CertificateThumbprint([0xab; 32]))));
        }
        for peer in ["11.0.0.1", "::2", "127.0.0.1"] {
            assert_eq!(told(peer), Ok(Some(CertificateThumbprint([7; 32]))));
        }
        assert_eq!(header().certificate_of(&headers, &Connection::default()), Ok(None));
    }

    #[test]
    fn the_certificate_of_a_trusted_proxy_is_not_its_clients() {
        let told = |headers: &HeaderMap| header().certificate_of(headers, &from("10.0.0.1"));
        assert_eq!(told(&HeaderMap::new()), Ok(None));
        let empty = HeaderMap::from_iter([(header().name, HeaderValue::from_static(""))]);
        assert_eq!(told(&empty), Ok(None));
        let header = CertificateHeader { form: Form::ClientCert, ..header() };
        let empty = HeaderMap::from_iter([(header.name.clone(), HeaderValue::from_static("::"))]);
        assert_eq!(header.certificate_of(&empty, &from("10.0.0.1")), Ok(None));
    }

    #[test]
    fn two_headers_and_endless_ones_are_refused() {
        let hash = format!("Hash={}", "ab".repeat(32));
        let told = |values: &[&str]| {
            let values = values.iter().map(|value| (header().name, value.parse().expect("a value")));
            header().certificate_of(&HeaderMap::from_iter(values), &from("10.0.0.1"))
        };
        assert_eq!(told(&[&hash]), Ok(Some(CertificateThumbprint([0xab; 32]))));
        assert_eq!(told(&[&hash, &hash]), Err(Malformed));
        assert_eq!(told(&[&hash, ""]), Err(Malformed));
        let long = |octets: usize| format!("{hash};URI={}", "u".repeat(octets - hash.len() - 5));
        assert_eq!(told(&[&long(HEADER_OCTETS)]), Ok(Some(CertificateThumbprint([0xab; 32]))));
        assert_eq!(told(&[&long(HEADER_OCTETS + 1)]), Err(Malformed));
    }
}
