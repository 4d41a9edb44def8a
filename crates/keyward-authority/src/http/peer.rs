//! Who is at the other end, by our own connection and by the word of a proxy that is believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base64_simd::STANDARD;
use http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;

use super::Peer;
use crate::config::Proxies;
use crate::tls::ListenerTls;

/// What is known of a connection before its first request.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    address: IpAddr,
    /// What the client presented in the handshake, its own certificate first.
    presented: Arc<[CertificateDer<'static>]>,
}

/// The most addresses of `X-Forwarded-For` that are looked at, from its end.
const HOPS: usize = 16;

/// The largest certificate in `Client-Cert`, in octets of base64.
const CERTIFICATE_LIMIT: usize = 16 * 1024;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

impl Connection {
    pub(crate) fn new(peer: SocketAddr, presented: &[CertificateDer<'_>]) -> Self {
        let presented = presented.iter().map(|der| der.clone().into_owned()).collect();
        // An IPv4 address is the same one where the listener is of IPv6 (RFC 4291 §2.5.5.2).
        Self { address: peer.ip().to_canonical(), presented }
    }

    /// Who sends a request with these headers, at `now` in seconds since 1970.
    pub(crate) fn peer(
        &self,
        headers: &HeaderMap,
        proxies: &Proxies,
        tls: Option<&ListenerTls>,
        now: i64,
    ) -> Peer {
        let trusts = |presented: &[CertificateDer<'_>]| tls.is_some_and(|tls| tls.trusts(presented, now));
        if !proxies.trusts(self.address) {
            let certificate = self.presented.first().map(|der| Arc::from(der.as_ref()));
            return Peer { address: self.address, certificate, is_trusted: trusts(&self.presented) };
        }
        // What the proxy shows in its own handshake is no client's.
        let told = if proxies.client_cert { told_certificate(headers) } else { None };
        let is_trusted = told.as_ref().is_some_and(|der| trusts(std::slice::from_ref(der)));
        let certificate = told.map(|der| Arc::from(der.as_ref()));
        Peer { address: told_address(headers, proxies).unwrap_or(self.address), certificate, is_trusted }
    }
}

/// The last address of `X-Forwarded-For` that is no trusted proxy's; none where it says nothing that is an address.
fn told_address(headers: &HeaderMap, proxies: &Proxies) -> Option<IpAddr> {
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
    let addresses = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS);
    let mut last = None;
    for address in addresses {
        let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
        last = Some(address);
        if !proxies.trusts(address) {
            return last;
        }
    }
    last
}

/// The certificate of `Client-Cert`, a byte sequence of RFC 8941 (RFC 9440 §2.1).
fn told_certificate(headers: &HeaderMap) -> Option<CertificateDer<'static>> {
    let mut values = headers.get_all(CLIENT_CERT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let encoded = value.to_str().ok()?.trim().strip_prefix(':')?.strip_suffix(':')?;
    if encoded.len() > CERTIFICATE_LIMIT {
        return None;
    }
    Some(STANDARD.decode_to_vec(encoded).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(from: &str, headers: &[(&'static str, &str)]) -> Peer {
        let proxies = Proxies { trusted_peers: vec!["10.0.0.0/8".parse().unwrap()], client_cert: true };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let shown = CertificateDer::from(b"shown".to_vec());
        let connection = Connection::new(SocketAddr::new(from.parse().unwrap(), 4711), &[shown]);
        connection.peer(&map, &proxies, None, 0)
    }

    #[test]
    fn a_stranger_says_nothing_about_itself() {
        let told = peer("192.0.2.1", &[("x-forwarded-for", "198.51.100.7"), ("client-cert", ":Y2VydA==:")]);
        assert_eq!(
            (told.address, told.certificate.as_deref()),
            ("192.0.2.1".parse().unwrap(), Some(&b"shown"[..]))
        );
    }

    #[test]
    fn a_proxy_is_believed_up_to_the_first_that_is_none() {
        let address =
            |value: &str| peer("::ffff:10.0.0.1", &[("x-forwarded-for", value)]).address.to_string();
        assert_eq!(address("203.0.113.9, 198.51.100.7, 10.1.1.1"), "198.51.100.7");
        assert_eq!(address("10.2.2.2"), "10.2.2.2");
        assert_eq!(address("nonsense"), "10.0.0.1");
        assert_eq!(address("nonsense, 198.51.100.7"), "198.51.100.7");
    }

    #[test]
    fn a_certificate_counts_as_the_proxy_tells_it_and_never_the_proxys_own() {
        let certificate = |value: &str| peer("10.0.0.1", &[("client-cert", value)]).certificate;
        assert_eq!(certificate(":Y2VydA==:").as_deref(), Some(&b"cert"[..]));
        for bad in ["Y2VydA==", ":Y2VydA", ":!:", ""] {
            assert_eq!(certificate(bad), None, "{bad:?}");
        }
        let twice = [("client-cert", ":Y2VydA==:"), ("client-cert", ":Y2VydB==:")];
        assert_eq!(peer("10.0.0.1", &twice).certificate, None, "which one?");
    }
}
